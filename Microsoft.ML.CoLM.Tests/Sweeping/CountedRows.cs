namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>A source that counts who reads it.</summary>
internal sealed class CountedRows(IDataView rows) : IDataView
{
    private readonly List<string[]> _cursors = [];

    public bool CanShuffle => rows.CanShuffle;

    public DataViewSchema Schema => rows.Schema;

    /// <summary>Cursors that were made with a column among those they were asked for.</summary>
    public int CursorsWith(string column) => _cursors.Count(columns => columns.Contains(column));

    public long? GetRowCount() => rows.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var columns = columnsNeeded.ToArray();
        _cursors.Add(Array.ConvertAll(columns, column => column.Name));
        return rows.GetRowCursor(columns, rand);
    }

    public DataViewRowCursor[] GetRowCursorSet(
        IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) => [GetRowCursor(columnsNeeded, rand)];
}
