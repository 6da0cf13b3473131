using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Loss and accuracy, or squared error and correlation, of a task at every chain count.</summary>
/// <param name="model">The model.</param>
/// <param name="head">The task's head.</param>
/// <param name="sequences">Token ids of each row to validate on.</param>
/// <param name="labels">The index of each row's class, or its number.</param>
/// <param name="range">How numbers are scaled; null for classes.</param>
/// <param name="scaleWeights">What each scale counts in the objective.</param>
/// <param name="checkAlive">Called before every forward pass; what it throws ends the validation.</param>
/// <param name="share">Which batches are computed here.</param>
internal sealed class LabelValidator(
    CoLMModel model, ChainHead head, int[][] sequences, float[] labels, LabelRange? range, double[] scaleWeights,
    Action checkAlive, BatchShare share)
{
    public Validation Validate()
    {
        var outputs = SequencePredictor.Outputs(
            model, head, sequences, new ChainRange(0, model.Config.ChainCount), checkAlive, share);
        var (losses, metrics) = (new double[scaleWeights.Length], new double[scaleWeights.Length]);
        for (var scale = 0; scale < losses.Length; scale++)
        {
            var own = Array.ConvertAll(outputs, scales => scales[scale]);
            (losses[scale], metrics[scale]) = range is { } numbers
                ? TaskMetrics.Regression(own, Array.ConvertAll(labels, numbers.Scale))
                : TaskMetrics.Classification(own, labels);
        }
        return new(losses.Zip(scaleWeights, (loss, weight) => weight == 0 ? 0 : loss * weight).Sum(), losses, metrics);
    }
}
