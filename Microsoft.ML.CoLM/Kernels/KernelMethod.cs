using System.Runtime.CompilerServices;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>How methods that loop over vectors are compiled.</summary>
internal static class KernelMethod
{
    /// <summary>
    /// At once with all optimizations, and as a method of its own: a caller that is compiled again by what it was seen to do takes in
    /// the loop, but leaves the loop's own small functions as calls, which takes several times as long. (<c>formats</c>, where a format's
    /// rows were read behind another's.)
    /// </summary>
    public const MethodImplOptions Compiled = MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining;
}
