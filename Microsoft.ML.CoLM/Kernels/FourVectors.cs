using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Four neighbouring vectors of a row.</summary>
internal static unsafe class FourVectors
{
    private const int Lanes = CachedAttention.Lanes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<float> A, Vector512<float> B, Vector512<float> C, Vector512<float> D) Load(float* row) =>
        (Vector512.Load(row), Vector512.Load(row + Lanes), Vector512.Load(row + 2 * Lanes), Vector512.Load(row + 3 * Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(
        Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* row)
    {
        a.Store(row);
        b.Store(row + Lanes);
        c.Store(row + 2 * Lanes);
        d.Store(row + 3 * Lanes);
    }
}
