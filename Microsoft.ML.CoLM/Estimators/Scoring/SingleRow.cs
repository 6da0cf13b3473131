using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>An engine's row, a batch for itself.</summary>
internal sealed class SingleRow(
    ElasticScoringTransformer transformer, DataViewRow row, DataViewSchema.Column[] columns) : IRowSource
{
    public Lifetime.Use Enter() => transformer.Enter();

    public Func<RowBatch<TRow>> Read<TRow>(Func<DataViewRow, DataViewSchema.Column[], Func<TRow>> createReader)
    {
        var read = createReader(row, columns);
        var rows = new TRow[1];
        long? position = null;
        return () =>
        {
            // The columns of a row are asked for one after the other, its texts are read once.
            if (position != row.Position)
                (rows[0], position) = (read(), row.Position);
            return new(row.Position, rows, 0);
        };
    }
}
