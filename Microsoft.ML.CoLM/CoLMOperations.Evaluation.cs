using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMOperations
{
    /// <summary>
    /// Computes metrics of rows scored by a language model, as written by <see cref="ScoringTask.LanguageModeling"/> and
    /// <see cref="TuningTask.Completion"/>.
    /// </summary>
    /// <remarks>
    /// The columns of log-probabilities and token counts are recognized by their annotations, whatever their names and whatever
    /// transforms follow; if several scorers wrote such columns, the last one's are used. Without annotations, the columns
    /// named <c>LogProbability</c> (Single) and <c>TokenCount</c> (Int32) are used. Rows without a scored token count only
    /// towards words and bytes. To compare chain counts, <see cref="EvaluateChainCounts"/> is faster.
    /// </remarks>
    /// <param name="scored">The rows; read once.</param>
    /// <param name="textColumnName">The text that was scored, whose words and bytes are counted.</param>
    /// <param name="cancellationToken">Cancels before the next row is read.</param>
    /// <returns>
    /// The metrics. <see cref="LanguageModelMetrics.ChainCount"/> comes from the annotation <c>ChainCount</c> (Int32) of the
    /// log-probability column, and is 0 without one.
    /// </returns>
    /// <exception cref="ArgumentException">
    /// A column is missing or has the wrong type, a log-probability is not finite, or no row has a scored token; the message
    /// names the column.
    /// </exception>
    /// <exception cref="OperationCanceledException">The operation, or the MLContext's execution, was cancelled.</exception>
    public LanguageModelMetrics EvaluateLanguageModel(
        IDataView scored, string textColumnName = DefaultColumnNames.Text, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(scored);
        ArgumentException.ThrowIfNullOrEmpty(textColumnName);
        return LanguageEvaluation.Of(_mlContext, Stoppable(scored, cancellationToken), textColumnName);
    }

    /// <summary>
    /// Computes a language model's metrics at every chain count in one pass over the rows: a chain does not depend on later
    /// chains, so the features of all chains are computed once, and each count adds only its head's output.
    /// </summary>
    /// <remarks>
    /// Equal, up to rounding, to <see cref="EvaluateLanguageModel"/> on rows scored at each count. Batch size and windows are
    /// the transformer's; its own chain count or cascade is ignored.
    /// </remarks>
    /// <param name="model">
    /// An <see cref="ElasticScoringTransformer"/> for <see cref="ScoringTask.LanguageModeling"/>, or a fitted pipeline that
    /// contains one, whose preceding transformers are applied.
    /// </param>
    /// <param name="data">The model's input rows; read once.</param>
    /// <param name="cancellationToken">Cancels before the next row is read.</param>
    /// <returns>The metrics at chain count 1, 2 and so on, up to all chains of the model.</returns>
    /// <exception cref="ArgumentException">
    /// The model contains no such transformer, or several, or one for another task; or the text column is missing or not text,
    /// or has no row with a token to score.
    /// </exception>
    /// <exception cref="InvalidOperationException">A score is not a finite number.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The operation, or the MLContext's execution, was cancelled.</exception>
    public IReadOnlyList<LanguageModelMetrics> EvaluateChainCounts(
        ITransformer model, IDataView data, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        return new ItemList<LanguageModelMetrics>(
            ChainCountEvaluation.Of(_mlContext, model, Stoppable(data, cancellationToken)));
    }
}
