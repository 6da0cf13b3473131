using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Loss and accuracy, or squared error and correlation, of a task at every chain count.</summary>
/// <param name="model">The model.</param>
/// <param name="head">The task's head.</param>
/// <param name="rows">The rows to validate on.</param>
/// <param name="range">How numbers are scaled; null for classes.</param>
/// <param name="scaleWeights">What each scale counts in the objective.</param>
/// <param name="checkAlive">Called before every forward pass; what it throws ends the validation.</param>
internal sealed class LabelValidator(
    CoLMModel model, ChainHead head, LabelledRows rows, LabelRange? range, double[] scaleWeights, Action checkAlive)
{
    public Validation Validate()
    {
        var outputs = SequencePredictor.Outputs(
            model, head, rows.Sequences, new ChainRange(0, model.Config.ChainCount), checkAlive);
        var (losses, metrics) = (new double[scaleWeights.Length], new double[scaleWeights.Length]);
        for (var scale = 0; scale < losses.Length; scale++)
        {
            var own = Array.ConvertAll(outputs, scales => scales[scale]);
            (losses[scale], metrics[scale]) = range is { } labels
                ? TaskMetrics.Regression(own, Array.ConvertAll(rows.Labels, labels.Scale))
                : TaskMetrics.Classification(own, rows.Labels);
        }
        return new(losses.Zip(scaleWeights, (loss, weight) => weight == 0 ? 0 : loss * weight).Sum(), losses, metrics);
    }
}
