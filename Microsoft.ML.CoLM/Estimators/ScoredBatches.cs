namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Reads texts a batch ahead, and scores a batch when the first of its scores is asked for.</summary>
internal sealed class ScoredBatches : IDisposable
{
    private readonly DataViewRowCursor _ahead;
    private readonly ValueGetter<ReadOnlyMemory<char>> _readText;
    private readonly TextScorer _scorer;
    private readonly string[] _texts;
    private long _start;
    private int _count;
    private TextScore[]? _scores;

    public ScoredBatches(DataViewRowCursor ahead, DataViewSchema.Column text, ElasticScoringTransformer transformer)
    {
        _ahead = ahead;
        _readText = ahead.GetGetter<ReadOnlyMemory<char>>(text);
        _scorer = transformer.CreateScorer();
        _texts = new string[transformer.Settings.BatchSize];
    }

    /// <summary>The score of a row; positions never go back by more than their batch.</summary>
    public TextScore At(long position)
    {
        while (position >= _start + _count)
            ReadBatch();
        _scores ??= _scorer.Score(new ArraySegment<string>(_texts, 0, _count));
        return _scores[position - _start];
    }

    public void Dispose() => _ahead.Dispose();

    private void ReadBatch()
    {
        (_start, _count, _scores) = (_start + _count, 0, null);
        ReadOnlyMemory<char> text = default;
        while (_count < _texts.Length && _ahead.MoveNext())
        {
            _readText(ref text);
            _texts[_count++] = text.ToString();
        }
        if (_count == 0)
            throw new InvalidOperationException($"The data ended after {_start} rows when it was read a second time.");
    }
}
