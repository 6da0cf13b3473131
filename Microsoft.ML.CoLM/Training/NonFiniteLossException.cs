namespace Microsoft.ML.CoLM;

/// <summary>Training stopped since its loss or gradient was no longer a number.</summary>
/// <remarks>
/// The model was put back to the last state whose loss was finite, or, where there was none, to the one it began with.
/// </remarks>
public sealed class NonFiniteLossException : InvalidOperationException
{
    /// <param name="step">The step, counted from 1.</param>
    /// <param name="what">What is not finite.</param>
    /// <param name="model">The model, as it was put back.</param>
    /// <param name="wasFinite">Whether there was a state with a finite loss to put it back to.</param>
    internal NonFiniteLossException(int step, string what, CoLMModel model, bool wasFinite) : base(
        $"Training stopped at step {step}: {what} is not a finite number. " + (wasFinite
            ? "The model is as it was at the last step with a finite loss. A smaller LearningRate or MaxGradientNorm, " +
              "or more WarmupSteps, often helps."
            : "The model is as it was before training: look for weights that are not finite, or too large.")) =>
        (Step, Model) = (step, model);

    /// <summary>
    /// The step, counted from 1, whose loss or gradient was not finite, or after which it was not; 0 for a validation
    /// without training.
    /// </summary>
    public int Step { get; }

    /// <summary>The model as it was put back; the caller disposes it.</summary>
    public CoLMModel Model { get; }
}
