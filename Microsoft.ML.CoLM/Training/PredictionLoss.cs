using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>How wrong a task head's outputs are.</summary>
internal abstract record PredictionLoss
{
    /// <summary>The mean loss of some rows.</summary>
    /// <param name="outputs">[rows, outputs], float32.</param>
    /// <param name="labels">The label of each row.</param>
    public abstract Tensor Of(Tensor outputs, float[] labels);
}
