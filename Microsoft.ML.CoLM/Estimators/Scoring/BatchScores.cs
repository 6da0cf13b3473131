using System.Globalization;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What rows score, computed for a batch when the first of its scores is asked for.</summary>
/// <typeparam name="TRow">What is read of a row.</typeparam>
/// <typeparam name="TScore">What it scores.</typeparam>
/// <param name="source">The rows.</param>
/// <param name="createReader">Makes what reads a row.</param>
/// <param name="score">Scores rows together.</param>
/// <param name="isFinite">Whether all numbers of a score are.</param>
internal sealed class BatchScores<TRow, TScore>(
    IRowSource source, Func<DataViewRow, DataViewSchema.Column[], Func<TRow>> createReader,
    Func<IReadOnlyList<TRow>, TScore[]> score, Predicate<TScore> isFinite)
{
    private readonly Func<RowBatch<TRow>> _read = source.Read(createReader);
    private TScore[] _scores = [];
    private long? _batch;

    /// <summary>The current row's score.</summary>
    /// <exception cref="ObjectDisposedException">What scores was disposed.</exception>
    /// <exception cref="InvalidOperationException">A score of the row's batch is not a finite number.</exception>
    public TScore Current()
    {
        using var use = source.Enter();
        var batch = _read();
        if (batch.Start != _batch)
        {
            _batch = null;
            _scores = Finite(score(batch.Rows), batch.Start);
            _batch = batch.Start;
        }
        return _scores[batch.Index];
    }

    // Weights that are numbers can give what is none: a prediction made of it would look like any other.
    private TScore[] Finite(TScore[] scores, long start)
    {
        var wrong = Array.FindIndex(scores, one => !isFinite(one));
        return wrong < 0 ? scores : throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture,
            $"The score of row {start + wrong}, counted from 0, is not a finite number: ") +
            "the model's weights or settings are beyond what the type that it computes in can hold.");
    }
}
