using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>A matrix product, target = left · right.</summary>
/// <param name="Target">[m, n], written.</param>
/// <param name="Left">[m, k].</param>
/// <param name="Right">[k, n].</param>
internal readonly record struct GemmOperands(Tensor Target, Tensor Left, Tensor Right)
{
    /// <summary>m · n · k.</summary>
    public long Multiplications => Target.numel() * Left.size(1);
}
