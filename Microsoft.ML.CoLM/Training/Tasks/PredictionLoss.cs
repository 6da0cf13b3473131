using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>How wrong a task head's outputs are.</summary>
internal abstract record PredictionLoss
{
    /// <summary>The losses of some rows, added up.</summary>
    /// <param name="outputs">[rows, outputs], float32.</param>
    /// <param name="labels">The label of each row.</param>
    public abstract Tensor Sum(Tensor outputs, float[] labels);

    /// <summary>What to divide the sum by for the mean loss.</summary>
    public virtual double Count(float[] labels) => labels.Length;
}
