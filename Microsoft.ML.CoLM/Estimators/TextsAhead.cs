namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Reads texts a batch ahead of a cursor.</summary>
/// <param name="ahead">A cursor over the same rows, with the text alone.</param>
/// <param name="text">The text's column.</param>
/// <param name="batchSize">Rows of a batch.</param>
internal sealed class TextsAhead(DataViewRowCursor ahead, DataViewSchema.Column text, int batchSize) : IDisposable
{
    private readonly ValueGetter<ReadOnlyMemory<char>> _readText = ahead.GetGetter<ReadOnlyMemory<char>>(text);
    private readonly string[] _texts = new string[batchSize];
    private long _start;
    private int _count;

    /// <summary>The batch of a row; positions never go back by more than their batch.</summary>
    public TextBatch At(long position)
    {
        while (position >= _start + _count)
            ReadBatch();
        return new(_start, new ArraySegment<string>(_texts, 0, _count), (int)(position - _start));
    }

    public void Dispose() => ahead.Dispose();

    private void ReadBatch()
    {
        (_start, _count) = (_start + _count, 0);
        ReadOnlyMemory<char> read = default;
        while (_count < _texts.Length && ahead.MoveNext())
        {
            _readText(ref read);
            _texts[_count++] = read.ToString();
        }
        if (_count == 0)
            throw new InvalidOperationException($"The data ended after {_start} rows when it was read a second time.");
    }
}
