using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A row's own text, a batch for itself.</summary>
internal sealed class SingleText(
    ElasticScoringTransformer transformer, DataViewRow row, DataViewSchema.Column[] columns) : ITextBatches
{
    private readonly RowTextReader _reader = new(row, columns);
    private readonly RowText[] _texts = new RowText[1];
    private long? _position;

    public Lifetime.Use Enter() => transformer.Enter();

    public TextBatch Current()
    {
        // The columns of a row are asked for one after the other, its text is read once.
        if (_position != row.Position)
            (_texts[0], _position) = (_reader.Read(), row.Position);
        return new(row.Position, _texts, 0);
    }
}
