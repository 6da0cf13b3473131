using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>A cursor of <see cref="StoppableDataView"/>.</summary>
/// <param name="source">The rows.</param>
/// <param name="checkAlive">Asked before every row.</param>
internal sealed class StoppableCursor(DataViewRowCursor source, Action checkAlive) : DataViewRowCursor
{
    public override long Position => source.Position;

    public override long Batch => source.Batch;

    public override DataViewSchema Schema => source.Schema;

    public override bool IsColumnActive(DataViewSchema.Column column) => source.IsColumnActive(column);

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => source.GetGetter<TValue>(column);

    public override ValueGetter<DataViewRowId> GetIdGetter() => source.GetIdGetter();

    public override bool MoveNext()
    {
        checkAlive();
        return source.MoveNext();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            source.Dispose();
        base.Dispose(disposing);
    }
}
