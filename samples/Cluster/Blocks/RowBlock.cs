using Microsoft.ML;
using Microsoft.ML.Data;

namespace ClusterSample.Blocks;

/// <summary>Some rows of a view, and some of its columns, in memory.</summary>
internal sealed class RowBlock : IDataView
{
    private readonly BlockColumn[] _columns;
    private readonly int _rowCount;

    private RowBlock(DataViewSchema schema, BlockColumn[] columns, int rowCount) =>
        (Schema, _columns, _rowCount) = (schema, columns, rowCount);

    public DataViewSchema Schema { get; }

    public bool CanShuffle => false;

    public int RowCount => _rowCount;

    /// <summary>Reads the rows that follow.</summary>
    /// <param name="cursor">Where the rows come from; it stands at the last row of the block afterwards.</param>
    /// <param name="columns">The columns to read, which the cursor has active.</param>
    /// <param name="rowCount">Rows at most.</param>
    /// <param name="cancellationToken">Ends the reading between two rows.</param>
    public static RowBlock Read(
        DataViewRowCursor cursor, IReadOnlyList<DataViewSchema.Column> columns, int rowCount,
        CancellationToken cancellationToken = default)
    {
        BlockColumn[] read = [.. columns.Select(column => BlockColumn.Create(cursor, column))];
        var count = 0;
        while (count < rowCount && cursor.MoveNext())
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach (var column in read)
                column.Add();
            count++;
        }
        return new(SchemaOf(columns), read, count);
    }

    /// <summary>A block without rows.</summary>
    public static RowBlock Empty(IReadOnlyList<DataViewSchema.Column> columns) =>
        new(SchemaOf(columns), [.. columns.Select(column => BlockColumn.Create(null, column))], rowCount: 0);

    /// <summary>Gets values of a column.</summary>
    /// <param name="index">The column.</param>
    /// <param name="row">Says the row to get.</param>
    public Delegate CreateGetter(int index, Func<int> row) => _columns[index].CreateGetter(row);

    public long? GetRowCount() => _rowCount;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) =>
        new RowBlockCursor(this, columnsNeeded);

    public DataViewRowCursor[] GetRowCursorSet(
        IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private static DataViewSchema SchemaOf(IEnumerable<DataViewSchema.Column> columns)
    {
        var builder = new DataViewSchema.Builder();
        foreach (var column in columns)
            builder.AddColumn(column.Name, column.Type, column.Annotations);
        return builder.ToSchema();
    }
}
