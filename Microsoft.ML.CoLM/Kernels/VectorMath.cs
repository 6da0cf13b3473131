using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Elementwise functions on vectors: an element's result never depends on where in memory it stands.</summary>
internal static class VectorMath
{
    // Below, exp is under the least normal float.
    private const float LeastExponent = -87.3f;

    // 1.5 · 2^23, where floats are whole numbers, and the bias of an exponent.
    private const float Rounder = 12582912 + 127;

    // ln 2 in two parts, the first with few bits, so that n · ln 2 is exact (Cody and Waite 1980).
    private const float Ln2High = 0.693359375f;
    private const float Ln2Low = -2.12194440e-4f;

    /// <summary>e^x for x ≤ 0, to two units in the last place; 0 where it is under the least normal float.</summary>
    /// <remarks>Coefficients of the Cephes library's expf (Moshier 1989).</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ExpOfNonPositive(Vector256<float> x)
    {
        // Added and taken away, it rounds to whole numbers, and leaves their bits where an exponent's are shifted to.
        var shifted = Vector256.FusedMultiplyAdd(x, Vector256.Create(1.44269504f), Vector256.Create(Rounder));
        var n = shifted - Vector256.Create(Rounder);
        var r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-Ln2High), x);
        r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-Ln2Low), r);
        var p = Vector256.Create(1.9875691500e-4f);
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1.3981999507e-3f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(8.3334519073e-3f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(4.1665795894e-2f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1.6666665459e-1f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(5.0000001201e-1f));
        p = Vector256.FusedMultiplyAdd(p, r * r, r) + Vector256<float>.One;
        var power = (shifted.AsInt32() << 23).AsSingle();
        return Vector256.ConditionalSelect(
            Vector256.LessThan(x, Vector256.Create(LeastExponent)), Vector256<float>.Zero, p * power);
    }

    /// <summary>As the function of eight numbers, of sixteen.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ExpOfNonPositive(Vector512<float> x)
    {
        // Added and taken away, it rounds to whole numbers, and leaves their bits where an exponent's are shifted to.
        var shifted = Vector512.FusedMultiplyAdd(x, Vector512.Create(1.44269504f), Vector512.Create(Rounder));
        var n = shifted - Vector512.Create(Rounder);
        var r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-Ln2High), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-Ln2Low), r);
        var p = Vector512.Create(1.9875691500e-4f);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.3981999507e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(8.3334519073e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(4.1665795894e-2f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.6666665459e-1f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(5.0000001201e-1f));
        p = Vector512.FusedMultiplyAdd(p, r * r, r) + Vector512<float>.One;
        var power = (shifted.AsInt32() << 23).AsSingle();
        return Vector512.ConditionalSelect(
            Vector512.LessThan(x, Vector512.Create(LeastExponent)), Vector512<float>.Zero, p * power);
    }

    /// <summary>x / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Silu(Vector512<float> x)
    {
        var power = ExpOfNonPositive(-Vector512.Abs(x));
        var numerator = Vector512.ConditionalSelect(
            Vector512.GreaterThanOrEqual(x, Vector512<float>.Zero), Vector512<float>.One, power);
        return x * numerator / (Vector512<float>.One + power);
    }

    /// <summary>An element's softmax, to a millionth; where it is not the largest, an upper bound.</summary>
    public static double SoftmaxOf(ReadOnlySpan<float> logits, int index)
    {
        var shift = Vector512.Create(logits[index]);
        var sums = Vector512<float>.Zero;
        var i = 0;
        for (; i + Vector512<float>.Count <= logits.Length; i += Vector512<float>.Count)
            sums += ExpOfNonPositive(Vector512.Min(Vector512.Create(logits[i..]) - shift, Vector512<float>.Zero));
        double sum = Vector512.Sum(sums);
        for (; i < logits.Length; i++)
            sum += Math.Exp(Math.Min(0, logits[i] - logits[index]));
        return 1 / sum;
    }
}
