using System.Text.Json.Serialization;

namespace ForgettingStudy;

/// <summary>What a run found.</summary>
/// <param name="Right">
/// For each chain count from 1 on, a digit for each judged row: 1 where the tuned model is right. Null for a run that settings
/// are chosen by, which is not judged.
/// </param>
/// <param name="TrainedParameters">Parameters that were trained, the label's head among them.</param>
/// <param name="Parameters">All parameters of the tuned model, with adapters and the label's head.</param>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="FirstEpochStep">Seconds of a step, median of the first epoch's.</param>
/// <param name="LaterEpochStep">The same of later epochs, which use kept features again; null without any.</param>
/// <param name="PeakMemory">MiB of resident memory at the steps' peak beyond those before training.</param>
/// <param name="Seconds">Time for the whole training, with its validations.</param>
/// <param name="StoriesAtOne">Loss on stories afterwards, at chain count 1.</param>
/// <param name="StoriesAtTop">The same with all chains.</param>
/// <param name="IsUnchanged">
/// Whether every story scores the same, to the bit, at chain count 1 as with the base before.
/// </param>
/// <param name="Losses">The objective at each step.</param>
/// <param name="Validations">The validations on the way.</param>
internal sealed record RunResult(
    string[]? Right, long TrainedParameters, long Parameters, int Steps, double FirstEpochStep,
    double? LaterEpochStep, double PeakMemory, double Seconds, double StoriesAtOne, double StoriesAtTop,
    bool IsUnchanged, double[] Losses, ValidationPoint[] Validations)
{
    /// <summary>Accuracy on the judged rows at each chain count from 1 on.</summary>
    [JsonIgnore]
    public double[] Accuracies => Array.ConvertAll(Right ?? [], rows => rows.Average(row => row == '1' ? 1.0 : 0));
}
