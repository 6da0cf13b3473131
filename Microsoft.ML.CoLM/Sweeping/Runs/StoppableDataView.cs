namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Rows that end with an exception as soon as a trial is stopped, whoever reads them.</summary>
/// <param name="source">The rows.</param>
/// <param name="checkAlive">Throws an <see cref="OperationCanceledException"/> when it is to end.</param>
internal sealed class StoppableDataView(IDataView source, Action checkAlive) : IDataView
{
    public bool CanShuffle => source.CanShuffle;

    public DataViewSchema Schema => source.Schema;

    public long? GetRowCount() => source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) =>
        new StoppableCursor(source.GetRowCursor(columnsNeeded, rand), checkAlive);

    public DataViewRowCursor[] GetRowCursorSet(
        IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        Array.ConvertAll(source.GetRowCursorSet(columnsNeeded, n, rand),
            DataViewRowCursor (cursor) => new StoppableCursor(cursor, checkAlive));
}
