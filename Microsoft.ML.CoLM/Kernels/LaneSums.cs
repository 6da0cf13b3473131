using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Sums of vectors' lanes, added in one order however many vectors at once.</summary>
internal static class LaneSums
{
    /// <summary>The sum of each vector's lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sums<TFloats>(TFloats a, TFloats b, TFloats c, TFloats d)
        where TFloats : struct, IFloats<TFloats>
    {
        if (!Sse.IsSupported)
            return Vector128.Create(Sum(a), Sum(b), Sum(c), Sum(d));
        var (foldedA, foldedB, foldedC, foldedD) = (a.Fold(), b.Fold(), c.Fold(), d.Fold());
        var ab = Sse.UnpackLow(foldedA, foldedB) + Sse.UnpackHigh(foldedA, foldedB);
        var cd = Sse.UnpackLow(foldedC, foldedD) + Sse.UnpackHigh(foldedC, foldedD);
        return Sse.MoveLowToHigh(ab, cd) + Sse.MoveHighToLow(cd, ab);
    }

    /// <summary>The sum of a vector's lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum<TFloats>(TFloats lanes)
        where TFloats : struct, IFloats<TFloats>
    {
        var four = lanes.Fold();
        return (four[0] + four[2]) + (four[1] + four[3]);
    }
}
