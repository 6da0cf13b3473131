using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMOperations
{
    /// <summary>
    /// Metrics of rows that a language model scored: what <see cref="ScoringTask.LanguageModeling"/> and
    /// <see cref="TuningTask.Completion"/> write.
    /// </summary>
    /// <remarks>
    /// The columns of log-probabilities and of token counts are known by their annotations, whatever they are called and whatever
    /// transform follows; where several scorers wrote some, the last one's count. Without annotations they are those called
    /// <c>LogProbability</c> (Single) and <c>TokenCount</c> (Int32). Rows without a scored token count with their text alone.
    /// To compare chain counts, <see cref="EvaluateChainCounts"/> takes less time.
    /// </remarks>
    /// <param name="scored">The rows, read once.</param>
    /// <param name="textColumnName">The text that was scored, whose words and bytes are counted.</param>
    /// <param name="cancellationToken">Ends it before the next row is read.</param>
    /// <returns>
    /// The metrics. <see cref="LanguageModelMetrics.ChainCount"/> is from an annotation <c>ChainCount</c> (Int32) of the column of
    /// log-probabilities, and 0 where it has none.
    /// </returns>
    /// <exception cref="ArgumentException">
    /// A column is missing or of another type, a log-probability is not a finite number, or no row has a scored token; the message
    /// names the column.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled, or the MLContext's execution.</exception>
    public LanguageModelMetrics EvaluateLanguageModel(
        IDataView scored, string textColumnName = DefaultColumnNames.Text, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(scored);
        ArgumentException.ThrowIfNullOrEmpty(textColumnName);
        return LanguageEvaluation.Of(_mlContext, Stoppable(scored, cancellationToken), textColumnName);
    }

    /// <summary>
    /// Metrics of a language model at every chain count, from one pass over the rows: what a chain computes does not depend on the
    /// chains behind it, so the features of all chains are computed once, and each count adds no more than its head's output.
    /// </summary>
    /// <remarks>
    /// Equal, up to rounding, to <see cref="EvaluateLanguageModel"/> of rows scored at each count. Batch size and windows are the
    /// transformer's; its own chain count, or cascade, makes no difference.
    /// </remarks>
    /// <param name="model">
    /// An <see cref="ElasticScoringTransformer"/> of <see cref="ScoringTask.LanguageModeling"/>, or a fitted pipeline that holds
    /// one: the rows go through what stands before it.
    /// </param>
    /// <param name="data">The rows that the model gets, read once.</param>
    /// <param name="cancellationToken">Ends it before the next row is read.</param>
    /// <returns>The metrics at chain count 1, 2 and so on, up to all chains of the model.</returns>
    /// <exception cref="ArgumentException">
    /// The model holds no such transformer, or several, or one of another task; or the text column is missing or not text, or has
    /// no row with a token to score.
    /// </exception>
    /// <exception cref="InvalidOperationException">A score is not a finite number.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled, or the MLContext's execution.</exception>
    public IReadOnlyList<LanguageModelMetrics> EvaluateChainCounts(
        ITransformer model, IDataView data, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        return ChainCountEvaluation.Of(_mlContext, model, Stoppable(data, cancellationToken));
    }
}
