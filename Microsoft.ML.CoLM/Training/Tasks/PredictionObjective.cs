using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>
/// A label for each example, read by a nested head from the features that it pools: the loss of every weighted scale.
/// </summary>
/// <param name="features">The examples.</param>
/// <param name="head">The task's head.</param>
/// <param name="labels">Each example's label.</param>
/// <param name="order">Which examples stand in which batch.</param>
/// <param name="loss">How wrong the head is.</param>
/// <param name="scaleWeights">Weight of the loss at each scale from 1 on; zero leaves it out.</param>
internal sealed class PredictionObjective(
    ExampleFeatures features, ChainHead head, float[] labels, ExampleOrder order, PredictionLoss loss,
    double[] scaleWeights) : BatchObjective(order.Seed)
{
    public override CoLMModel Model => features.Model;

    public override long BatchesOf(int epochs) => (long)order.BatchesOfEpoch * epochs;

    protected override BatchLoss Compute(long batch)
    {
        using var scope = NewDisposeScope();
        var chosen = order.Examples(batch);
        var padded = features.Batch(chosen);
        var pooled = features.Pooled(chosen, padded, head.Pooling);                 // [examples, D]
        BeforeHead?.Invoke();
        var scales = head.Scales(pooled, new ChainRange(0, Model.Config.ChainCount), earlier: null);
        var own = Array.ConvertAll(chosen, example => labels[example]);
        var sum = ScaleLosses.Sum(scales, scaleWeights, outputs => loss.Sum(outputs, own));
        return new(sum.MoveToOuterDisposeScope(), loss.Count(own), padded.TokenCount);
    }
}
