using TorchSharp;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Numbers for libtorch. Where a number is written in their place, TorchSharp makes an object of it that the garbage
/// collector may free while libtorch still reads it; these are kept.
/// </summary>
internal static class Scalars
{
    public static readonly Scalar One = 1.ToScalar();

    public static readonly Scalar MinusOne = (-1).ToScalar();
}
