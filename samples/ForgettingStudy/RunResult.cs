namespace ForgettingStudy;

/// <summary>What a run found.</summary>
/// <param name="Judgement">
/// What the tuned model reaches and forgot; null for a run that settings are chosen by, which is not judged.
/// </param>
/// <param name="TrainedParameters">Parameters that were trained, the label's head among them.</param>
/// <param name="Parameters">All parameters of the tuned model, with adapters and the label's head.</param>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="FirstEpochStep">Seconds of a step, median of the first epoch's.</param>
/// <param name="LaterEpochStep">The same of later epochs, which use kept features again; null without any.</param>
/// <param name="PeakMemory">MiB of resident memory at the steps' peak beyond those before training.</param>
/// <param name="Seconds">Time for the whole training, with its validations.</param>
/// <param name="Losses">The objective at each step.</param>
/// <param name="Validations">The validations on the way.</param>
internal sealed record RunResult(
    Judgement? Judgement, long TrainedParameters, long Parameters, int Steps, double FirstEpochStep,
    double? LaterEpochStep, double PeakMemory, double Seconds, double[] Losses, ValidationPoint[] Validations);
