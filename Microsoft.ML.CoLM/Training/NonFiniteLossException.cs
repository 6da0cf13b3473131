namespace Microsoft.ML.CoLM;

/// <summary>Training stopped since its loss or gradient was no longer a number.</summary>
/// <remarks>The model was put back to the last state whose loss was finite.</remarks>
public sealed class NonFiniteLossException : InvalidOperationException
{
    internal NonFiniteLossException(int step, string what, CoLMModel model) : base(
        $"Training stopped at step {step}: {what} is not a finite number. The model is as it was at the last step with " +
        "a finite loss. A smaller LearningRate or MaxGradientNorm, or more WarmupSteps, often helps.") =>
        (Step, Model) = (step, model);

    /// <summary>The step, counted from 1, whose loss or gradient was not finite.</summary>
    public int Step { get; }

    /// <summary>The model in its last good state, ready to score; the caller disposes it.</summary>
    public CoLMModel Model { get; }
}
