namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Reads texts a batch ahead, and scores a batch when the first of its scores is asked for.</summary>
internal sealed class ScoredBatches : IDisposable
{
    private readonly DataViewRowCursor _ahead;
    private readonly ValueGetter<ReadOnlyMemory<char>> _readText;
    private readonly TextScorer _scorer;
    private readonly int _batchSize;
    private readonly List<string> _texts = []; // grows with the rows that come, not with what the batch could hold
    private long _start;
    private TextScore[]? _scores;

    public ScoredBatches(DataViewRowCursor ahead, DataViewSchema.Column text, ElasticScoringTransformer transformer)
    {
        _ahead = ahead;
        _readText = ahead.GetGetter<ReadOnlyMemory<char>>(text);
        _scorer = transformer.CreateScorer();
        _batchSize = transformer.Settings.BatchSize;
    }

    /// <summary>The score of a row; positions never go back by more than their batch.</summary>
    public TextScore At(long position)
    {
        while (position >= _start + _texts.Count)
            ReadBatch();
        _scores ??= _scorer.Score(_texts);
        return _scores[position - _start];
    }

    public void Dispose() => _ahead.Dispose();

    private void ReadBatch()
    {
        (_start, _scores) = (_start + _texts.Count, null);
        _texts.Clear();
        ReadOnlyMemory<char> text = default;
        while (_texts.Count < _batchSize && _ahead.MoveNext())
        {
            _readText(ref text);
            _texts.Add(text.ToString());
        }
        if (_texts.Count == 0)
            throw new InvalidOperationException($"The data ended after {_start} rows when it was read a second time.");
    }
}
