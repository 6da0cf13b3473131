using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The multi-chain objective: a weighted sum of the losses at the scales.</summary>
internal static class ScaleLosses
{
    /// <param name="scales">Outputs at each scale.</param>
    /// <param name="weights">The scales' weights; zero leaves one out.</param>
    /// <param name="loss">The loss of one scale's outputs, the dispose scope's.</param>
    /// <returns>A scalar.</returns>
    public static Tensor Sum(IReadOnlyList<Tensor> scales, IReadOnlyList<double> weights, Func<Tensor, Tensor> loss)
    {
        Tensor? sum = null;
        for (var i = 0; i < scales.Count; i++)
        {
            if (weights[i] == 0)
                continue;
            using var weight = weights[i].ToScalar();
            var weighted = loss(scales[i]).mul(weight);
            sum = sum is null ? weighted : sum.add(weighted, Scalars.One);
        }
        return sum!;
    }
}
