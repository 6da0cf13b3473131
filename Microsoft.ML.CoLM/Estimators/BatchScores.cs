namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What rows score, computed for a batch when the first of its scores is asked for.</summary>
/// <param name="texts">The rows' texts.</param>
/// <param name="score">Scores texts together.</param>
internal sealed class BatchScores<TScore>(ITextBatches texts, Func<IReadOnlyList<RowText>, TScore[]> score)
{
    private TScore[] _scores = [];
    private long? _batch;

    /// <summary>The current row's score.</summary>
    /// <exception cref="ObjectDisposedException">What scores was disposed.</exception>
    public TScore Current()
    {
        using var use = texts.Enter();
        var batch = texts.Current();
        if (batch.Start != _batch)
        {
            _batch = null;
            _scores = score(batch.Texts);
            _batch = batch.Start;
        }
        return _scores[batch.Index];
    }
}
