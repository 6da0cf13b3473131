namespace Microsoft.ML.CoLM;

/// <summary>Training stopped since its loss or gradient was no longer a number.</summary>
/// <remarks>
/// The model that was trained is gone; the one that it was made from is as it was. With
/// <see cref="TrainingOptions.CheckpointFolder"/> the message names the last checkpoint: one is of weights whose loss is known
/// to be finite.
/// </remarks>
public sealed class NonFiniteLossException : InvalidOperationException
{
    /// <param name="step">The step, counted from 1.</param>
    /// <param name="what">What is not finite.</param>
    /// <param name="wasFinite">Whether the loss was finite before.</param>
    /// <param name="checkpoint">Where the last checkpoint is, and of which step; null where there is none.</param>
    internal NonFiniteLossException(int step, string what, bool wasFinite, string? checkpoint) : base(
        FormattableString.Invariant($"Training stopped at step {step}: {what} is not a finite number. ") + (wasFinite
            ? "A smaller LearningRate or MaxGradientNorm, or more WarmupSteps, often helps. "
            : "It was so before training: look for weights that are not finite, or too large. ") + (checkpoint is null
            ? "There is no checkpoint to go back to."
            : $"The checkpoint to go back to is {checkpoint}.")) => Step = step;

    /// <summary>
    /// The step, counted from 1, whose loss or gradient was not finite, or after which it was not; 0 for a validation
    /// without training.
    /// </summary>
    public int Step { get; }
}
