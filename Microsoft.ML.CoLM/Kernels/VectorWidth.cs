using System.Runtime.Intrinsics;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Which of the kernels' vectors this processor has.</summary>
internal static class VectorWidth
{
    /// <summary>
    /// Floats of the widest vector that .NET computes with here, rather than with two halves: 16, 8 or 4. A constant to the
    /// compiler, so that nothing is left of the kernels of other widths.
    /// </summary>
    /// <remarks>
    /// <c>decode</c>, <c>prefill</c> and <c>score</c> with <c>--session cpu torch</c> compare each width's kernels with libtorch
    /// where <c>DOTNET_EnableAVX512=0</c> or <c>DOTNET_EnableAVX2=0</c> is set.
    /// </remarks>
    public static int Floats =>
        Vector512.IsHardwareAccelerated ? Floats16.Count : Vector256.IsHardwareAccelerated ? Floats8.Count : Floats4.Count;
}
