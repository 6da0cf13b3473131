using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Cross-entropy of classes, whose labels are their indices.</summary>
/// <param name="ClassWeights">How much each class counts; null for all alike.</param>
/// <param name="LabelSmoothing">The share of a label that is spread over all classes.</param>
internal sealed record ClassLoss(IReadOnlyList<double>? ClassWeights = null, double LabelSmoothing = 0) : PredictionLoss
{
    public override Tensor Sum(Tensor outputs, float[] labels)
    {
        using var scope = NewDisposeScope();
        var targets = tensor(Array.ConvertAll(labels, label => (long)label), device: outputs.device);
        var weights = ClassWeights is null
            ? null : tensor(ClassWeights.Select(weight => (float)weight).ToArray(), device: outputs.device);
        return nn.functional
            .cross_entropy(outputs, targets, weights, reduction: nn.Reduction.Sum, label_smoothing: LabelSmoothing)
            .MoveToOuterDisposeScope();
    }

    public override double Count(float[] labels) =>
        ClassWeights is null ? labels.Length : labels.Sum(label => ClassWeights[(int)label]);
}
