using System.Runtime.CompilerServices;

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
    public static TFloats ExpOfNonPositive<TFloats>(TFloats x)
        where TFloats : struct, IFloats<TFloats>
    {
        // Added and taken away, it rounds to whole numbers, and leaves their bits where an exponent's are shifted to.
        var shifted = TFloats.MultiplyAdd(x, TFloats.Create(1.44269504f), TFloats.Create(Rounder));
        var n = shifted - TFloats.Create(Rounder);
        var r = TFloats.MultiplyAdd(n, TFloats.Create(-Ln2High), x);
        r = TFloats.MultiplyAdd(n, TFloats.Create(-Ln2Low), r);
        var p = TFloats.Create(1.9875691500e-4f);
        p = TFloats.MultiplyAdd(p, r, TFloats.Create(1.3981999507e-3f));
        p = TFloats.MultiplyAdd(p, r, TFloats.Create(8.3334519073e-3f));
        p = TFloats.MultiplyAdd(p, r, TFloats.Create(4.1665795894e-2f));
        p = TFloats.MultiplyAdd(p, r, TFloats.Create(1.6666665459e-1f));
        p = TFloats.MultiplyAdd(p, r, TFloats.Create(5.0000001201e-1f));
        p = TFloats.MultiplyAdd(p, r * r, r) + TFloats.Create(1);
        return TFloats.WhereLess(x, TFloats.Create(LeastExponent), default, p * TFloats.FromExponents(shifted));
    }

    /// <summary>x / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TFloats Silu<TFloats>(TFloats x)
        where TFloats : struct, IFloats<TFloats>
    {
        var (one, power) = (TFloats.Create(1), ExpOfNonPositive(default(TFloats) - TFloats.Abs(x)));
        return x * TFloats.WhereLess(x, default, power, one) / (one + power);
    }

    /// <summary>An element's softmax, to a millionth; where it is not the largest, an upper bound.</summary>
    public static double SoftmaxOf(ReadOnlySpan<float> logits, int index) => VectorWidth.Floats switch
    {
        16 => SoftmaxOf<Floats16>(logits, index),
        8 => SoftmaxOf<Floats8>(logits, index),
        _ => SoftmaxOf<Floats4>(logits, index),
    };

    /// <inheritdoc cref="SoftmaxOf(ReadOnlySpan{float}, int)"/>
    public static unsafe double SoftmaxOf<TFloats>(ReadOnlySpan<float> logits, int index)
        where TFloats : struct, IFloats<TFloats>
    {
        var shift = TFloats.Create(logits[index]);
        var sums = default(TFloats);
        var i = 0;
        fixed (float* from = logits)
        {
            for (; i + TFloats.Count <= logits.Length; i += TFloats.Count)
                sums += ExpOfNonPositive(TFloats.Min(TFloats.Load(from + i) - shift, default));
        }
        double sum = LaneSums.Sum(sums);
        for (; i < logits.Length; i++)
            sum += Math.Exp(Math.Min(0, logits[i] - logits[index]));
        return 1 / sum;
    }
}
