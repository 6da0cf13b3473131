using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMOperations
{
    /// <summary>
    /// How often the right choice was found in rows that <see cref="ScoringTask.MultipleChoice"/> scored, by the rules of
    /// EleutherAI's lm-evaluation-harness (commit 4e7e0d4).
    /// </summary>
    /// <remarks>
    /// Reads the columns <c>Score</c>, <c>PredictedLabel</c>, <c>NormalizedPredictedLabel</c> and <c>Choices</c>; what has
    /// other names is copied to these by <c>CopyColumns</c>.
    /// </remarks>
    /// <param name="scored">The scored rows, at least one.</param>
    /// <param name="labelColumnName">
    /// The index of the right choice, counted from 0: a number of any type, or a key, whose values then are the indices; one
    /// without values is counted itself.
    /// </param>
    /// <param name="cancellationToken">Ends it before the next row is read.</param>
    /// <returns>Means over the rows; a standard error is NaN for a single row.</returns>
    /// <exception cref="ArgumentException">
    /// A column is missing or of another type, there is no row, or an answer is none of a row's choices; the message names
    /// the column and the row.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled, or the MLContext's execution.</exception>
    public MultipleChoiceMetrics EvaluateMultipleChoice(
        IDataView scored, string labelColumnName = "Label", CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(scored);
        ArgumentException.ThrowIfNullOrEmpty(labelColumnName);
        return new ScoredChoices(_mlContext, Stoppable(scored, cancellationToken), labelColumnName).Evaluate();
    }
}
