namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>What a validation found.</summary>
/// <param name="Objective">What training makes small, on the validation set.</param>
/// <param name="Losses">The mean loss at each chain count from 1 on.</param>
/// <param name="Metrics">The task's metric at each chain count from 1 on; empty where it has none beside the loss.</param>
internal sealed record Validation(double Objective, IReadOnlyList<double> Losses, IReadOnlyList<double> Metrics)
{
    /// <summary>What is known without a validation.</summary>
    public static Validation None { get; } = new(double.NaN, [], []);
}
