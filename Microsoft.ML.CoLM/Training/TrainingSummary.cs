namespace Microsoft.ML.CoLM;

/// <summary>What a training run did.</summary>
/// <param name="Steps">Optimizer steps done.</param>
/// <param name="Cancelled">Whether it was cancelled before its last step.</param>
/// <param name="Loss">The objective at the last step; NaN when there was none.</param>
/// <param name="TokensPerSecond">Tokens trained on each second.</param>
/// <param name="ValidationLosses">
/// The mean loss of a token, or of a row that has a label, at each chain count from 1 on, of the model that training
/// ended with; empty without a validation set, and when training was cancelled.
/// </param>
public sealed record TrainingSummary(
    int Steps, bool Cancelled, double Loss, double TokensPerSecond, IReadOnlyList<double> ValidationLosses)
{
    /// <summary>
    /// The task's metric, where <see cref="ValidationLosses"/> are given, at each chain count from 1 on: accuracy in
    /// classification, Pearson's correlation in regression; empty in language modelling.
    /// </summary>
    public IReadOnlyList<double> ValidationMetrics { get; init; } = [];

    /// <summary>
    /// The step whose weights the model has: the last, or with <see cref="TrainingOptions.RestoreBest"/> that of the best
    /// validation.
    /// </summary>
    public int ModelStep { get; init; } = Steps;

    /// <summary>How many parameters were trained.</summary>
    public long TrainedParameterCount { get; init; }
}
