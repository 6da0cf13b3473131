namespace Microsoft.ML.CoLM;

/// <summary>Thrown when training stops because its loss or gradient is NaN or infinite.</summary>
/// <remarks>
/// The model in training is lost; its source is unchanged. With <see cref="TrainingOptions.CheckpointFolder"/>, the message
/// names the last checkpoint, whose weights are known to have a finite loss.
/// </remarks>
public sealed class NonFiniteLossException : InvalidOperationException
{
    /// <param name="step">The step, counted from 1.</param>
    /// <param name="what">What is not finite.</param>
    /// <param name="wasFinite">Whether the loss was finite before.</param>
    /// <param name="checkpoint">The path and step of the last checkpoint; null if there is none.</param>
    internal NonFiniteLossException(int step, string what, bool wasFinite, string? checkpoint) : base(
        FormattableString.Invariant($"Training stopped at step {step}: {what} is not a finite number. ") + (wasFinite
            ? "A smaller LearningRate or MaxGradientNorm, or more WarmupSteps, often helps. "
            : "It was so before training: look for weights that are not finite, or too large. ") + (checkpoint is null
            ? "There is no checkpoint to go back to."
            : $"The checkpoint to go back to is {checkpoint}.")) => Step = step;

    /// <summary>
    /// The step, counted from 1, during or after which the loss or gradient was not finite; 0 for a validation without
    /// training.
    /// </summary>
    public int Step { get; }
}
