namespace Microsoft.ML.CoLM;

/// <summary>What a training run did.</summary>
/// <param name="Steps">Optimizer steps done.</param>
/// <param name="Cancelled">Whether it was cancelled before its last step.</param>
/// <param name="Loss">The objective at the last step; NaN when there was none.</param>
/// <param name="TokensPerSecond">Tokens trained on each second.</param>
/// <param name="ValidationLosses">
/// The mean loss of a token at each chain count from 1 on, at the end of training; empty without a validation set,
/// and when training was cancelled.
/// </param>
public sealed record TrainingSummary(
    int Steps, bool Cancelled, double Loss, double TokensPerSecond, IReadOnlyList<double> ValidationLosses);
