using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Squared error of one number.</summary>
internal sealed record SquaredLoss : PredictionLoss
{
    public override Tensor Sum(Tensor outputs, float[] labels)
    {
        using var scope = NewDisposeScope();
        return nn.functional
            .mse_loss(outputs.view(-1), tensor(labels, device: outputs.device), nn.Reduction.Sum)
            .MoveToOuterDisposeScope();
    }
}
