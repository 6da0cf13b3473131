namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Reads rows a batch ahead of a cursor.</summary>
/// <typeparam name="TRow">What is read of a row.</typeparam>
/// <param name="ahead">A cursor over the same rows.</param>
/// <param name="read">Reads the row that it stands at.</param>
/// <param name="batchSize">Rows of a batch.</param>
internal sealed class RowsAhead<TRow>(DataViewRowCursor ahead, Func<TRow> read, int batchSize)
{
    private readonly List<TRow> _rows = [];
    private long _start;

    /// <summary>The batch of a row; positions never go back by more than their batch.</summary>
    public RowBatch<TRow> At(long position)
    {
        while (position >= _start + _rows.Count)
            ReadBatch();
        return new(_start, _rows, (int)(position - _start));
    }

    private void ReadBatch()
    {
        _start += _rows.Count;
        _rows.Clear();
        while (_rows.Count < batchSize && ahead.MoveNext())
            _rows.Add(read());
        if (_rows.Count == 0)
            throw new InvalidOperationException($"The data ended after {_start} rows when it was read a second time.");
    }
}
