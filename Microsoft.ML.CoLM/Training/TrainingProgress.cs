namespace Microsoft.ML.CoLM;

/// <summary>Where a training run is, reported after every optimizer step.</summary>
/// <param name="Step">Optimizer steps done.</param>
/// <param name="TotalSteps">Optimizer steps of the whole run.</param>
/// <param name="Loss">The objective at this step, natural log, mean over its tokens.</param>
/// <param name="LearningRate">The step's learning rate.</param>
/// <param name="TokensPerSecond">Tokens trained on each second, since the run began.</param>
/// <param name="TimeLeft">Estimated time to the end of training.</param>
/// <param name="ValidationLosses">
/// After a validation, the mean loss of a token, or of a row that has a label, at each chain count from 1 on; otherwise empty.
/// </param>
public sealed record TrainingProgress(
    int Step, int TotalSteps, double Loss, double LearningRate, double TokensPerSecond, TimeSpan TimeLeft,
    IReadOnlyList<double> ValidationLosses)
{
    /// <summary>
    /// After a validation, the task's metric at each chain count from 1 on: accuracy in classification, Pearson's
    /// correlation in regression; otherwise, and in language modelling, empty.
    /// </summary>
    public IReadOnlyList<double> ValidationMetrics { get; init; } = [];
}
