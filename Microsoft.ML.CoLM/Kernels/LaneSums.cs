using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Sums of vectors' lanes, added in one order whatever the processor and however many vectors at once.</summary>
internal static class LaneSums
{
    /// <summary>The sum of each vector's lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sums(
        Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        if (!Sse.IsSupported)
            return Vector128.Create(Sum(a), Sum(b), Sum(c), Sum(d));
        var (quarterA, quarterB, quarterC, quarterD) = (Fold(a), Fold(b), Fold(c), Fold(d));
        var ab = Sse.UnpackLow(quarterA, quarterB) + Sse.UnpackHigh(quarterA, quarterB);
        var cd = Sse.UnpackLow(quarterC, quarterD) + Sse.UnpackHigh(quarterC, quarterD);
        return Sse.MoveLowToHigh(ab, cd) + Sse.MoveHighToLow(cd, ab);
    }

    /// <summary>The sum of a vector's lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> lanes)
    {
        var quarter = Fold(lanes);
        return (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Fold(Vector512<float> lanes)
    {
        var half = lanes.GetLower() + lanes.GetUpper();
        return half.GetLower() + half.GetUpper();
    }
}
