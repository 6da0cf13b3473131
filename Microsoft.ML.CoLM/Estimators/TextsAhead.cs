namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Reads texts a batch ahead of a cursor.</summary>
/// <param name="ahead">A cursor over the same rows, with the texts alone.</param>
/// <param name="columns">The text columns.</param>
/// <param name="batchSize">Rows of a batch.</param>
internal sealed class TextsAhead(DataViewRowCursor ahead, DataViewSchema.Column[] columns, int batchSize) : IDisposable
{
    private readonly RowTextReader _reader = new(ahead, columns);
    private readonly List<RowText> _texts = [];
    private long _start;

    /// <summary>The batch of a row; positions never go back by more than their batch.</summary>
    public TextBatch At(long position)
    {
        while (position >= _start + _texts.Count)
            ReadBatch();
        return new(_start, _texts, (int)(position - _start));
    }

    public void Dispose() => ahead.Dispose();

    private void ReadBatch()
    {
        _start += _texts.Count;
        _texts.Clear();
        while (_texts.Count < batchSize && ahead.MoveNext())
            _texts.Add(_reader.Read());
        if (_texts.Count == 0)
            throw new InvalidOperationException($"The data ended after {_start} rows when it was read a second time.");
    }
}
