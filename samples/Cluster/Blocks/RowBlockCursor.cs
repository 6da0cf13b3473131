using Microsoft.ML;
using Microsoft.ML.Data;

namespace ClusterSample.Blocks;

/// <summary>Goes through the rows of a block.</summary>
internal sealed class RowBlockCursor : DataViewRowCursor
{
    private readonly RowBlock _block;
    private readonly bool[] _active;
    private long _position = -1;

    public RowBlockCursor(RowBlock block, IEnumerable<DataViewSchema.Column> columnsNeeded)
    {
        _block = block;
        _active = new bool[block.Schema.Count];
        foreach (var column in columnsNeeded)
            _active[column.Index] = true;
    }

    public override DataViewSchema Schema => _block.Schema;

    public override long Position => _position;

    public override long Batch => 0;

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) =>
        (ValueGetter<TValue>)_block.CreateGetter(column.Index, () => checked((int)_position));

    public override ValueGetter<DataViewRowId> GetIdGetter() =>
        (ref DataViewRowId value) => value = new DataViewRowId(checked((ulong)_position), 0);

    public override bool MoveNext()
    {
        if (_position + 1 >= _block.RowCount)
        {
            _position = -1;
            return false;
        }
        _position++;
        return true;
    }
}
