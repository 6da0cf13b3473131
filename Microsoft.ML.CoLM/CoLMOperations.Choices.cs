using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMOperations
{
    /// <summary>
    /// Computes the accuracy of rows scored by <see cref="ScoringTask.MultipleChoice"/>, by the rules of EleutherAI's
    /// lm-evaluation-harness (commit 4e7e0d4).
    /// </summary>
    /// <remarks>
    /// Reads the columns <c>Score</c>, <c>PredictedLabel</c>, <c>NormalizedPredictedLabel</c> and <c>Choices</c>; use
    /// <c>CopyColumns</c> if yours have other names.
    /// </remarks>
    /// <param name="scored">The scored rows, at least one.</param>
    /// <param name="labelColumnName">
    /// The index of the correct choice, counted from 0: a number of any type, or a key whose values are the indices; for a key
    /// without values, its own index counts.
    /// </param>
    /// <param name="cancellationToken">Cancels before the next row is read.</param>
    /// <returns>Means over the rows; a standard error is NaN for a single row.</returns>
    /// <exception cref="ArgumentException">
    /// A column is missing or has the wrong type, there are no rows, or an answer is not one of the row's choices; the message
    /// names the column and the row.
    /// </exception>
    /// <exception cref="OperationCanceledException">The operation, or the MLContext's execution, was cancelled.</exception>
    public MultipleChoiceMetrics EvaluateMultipleChoice(
        IDataView scored, string labelColumnName = "Label", CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(scored);
        ArgumentException.ThrowIfNullOrEmpty(labelColumnName);
        return new ScoredChoices(_mlContext, Stoppable(scored, cancellationToken), labelColumnName).Evaluate();
    }
}
