using System.Runtime.CompilerServices;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Sums of the cached values of a head, each by its weight, as <see cref="CachedAttention"/> lays them out.</summary>
internal static unsafe class ValueMix
{
    /// <summary>Computes each query's sum of the values, by its weights.</summary>
    /// <param name="lengths">For each query, the positions it reads.</param>
    /// <param name="longest">The longest length.</param>
    /// <param name="width">The head's width, in whole vectors.</param>
    /// <param name="values">The head's values.</param>
    /// <param name="weights">
    /// Queries, rounded up to fours, <paramref name="stride"/> apart; zero from a query's length up to the longest of its four.
    /// </param>
    /// <param name="stride">Floats from a query's weights to the next one's.</param>
    /// <param name="output">[queries, rounded up to fours, width], written.</param>
    public static void Compute<TCache, TFloats>(
        ReadOnlySpan<int> lengths, int longest, int width, void* values, float* weights, long stride, float* output)
        where TCache : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        if (lengths.Length == 1)
        {
            MixOne<TCache, TFloats>(weights, values, longest, width, output);
            return;
        }
        new Span<float>(output, CachedAttention.PaddedQueries(lengths.Length) * width).Clear();
        // Four by four, all queries go over the values that the first-level cache holds, before the next ones are read.
        for (var first = 0; first < longest; first += CachedAttention.PositionsAtOnce)
        {
            for (var q = 0; q < lengths.Length; q += CachedAttention.QueriesAtOnce)
            {
                var end = Math.Min(first + CachedAttention.PositionsAtOnce, CachedAttention.LongestOfFour(lengths, q));
                if (first < end)
                    MixFour<TCache, TFloats>(weights + q * stride, stride, values, first, end, width, output + q * width);
            }
        }
    }

    // With what is there added, of as many vectors of features at once as there are registers for their sums. A position whose
    // weight is zero adds nothing, to the bit.
    private static void MixFour<TCache, TFloats>(
        float* weights, long stride, void* values, int position, int end, int width, float* output)
        where TCache : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var mixed = 0;
        for (; TFloats.HasManyRegisters && mixed + 4 * TFloats.Count <= width; mixed += 4 * TFloats.Count)
            MixFourVectors<TCache, TFloats>(weights, stride, values, position, end, width, mixed, output);
        // The last one alone is computed twice.
        for (; mixed < width; mixed += 2 * TFloats.Count)
        {
            var second = Math.Min(mixed + TFloats.Count, width - TFloats.Count);
            MixTwoVectors<TCache, TFloats>(weights, stride, values, position, end, width, mixed, second, output);
        }
    }

    [MethodImpl(KernelMethod.Compiled)]
    private static void MixFourVectors<TCache, TFloats>(
        float* w0, long stride, void* values, int position, int end, int width, int first, float* output)
        where TCache : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        float* w1 = w0 + stride, w2 = w1 + stride, w3 = w2 + stride;
        output += first;
        var (a0, b0, c0, d0) = FourVectors.Load<TFloats>(output);
        var (a1, b1, c1, d1) = FourVectors.Load<TFloats>(output + width);
        var (a2, b2, c2, d2) = FourVectors.Load<TFloats>(output + 2 * width);
        var (a3, b3, c3, d3) = FourVectors.Load<TFloats>(output + 3 * width);
        var at = (long)position * width + first;
        for (var i = position; i < end; i++, at += width)
        {
            var (a, b) = (TCache.Load<TFloats>(values, at), TCache.Load<TFloats>(values, at + TFloats.Count));
            var c = TCache.Load<TFloats>(values, at + 2 * TFloats.Count);
            var d = TCache.Load<TFloats>(values, at + 3 * TFloats.Count);
            var w = TFloats.Create(w0[i]);
            a0 = TFloats.MultiplyAdd(w, a, a0);
            b0 = TFloats.MultiplyAdd(w, b, b0);
            c0 = TFloats.MultiplyAdd(w, c, c0);
            d0 = TFloats.MultiplyAdd(w, d, d0);
            w = TFloats.Create(w1[i]);
            a1 = TFloats.MultiplyAdd(w, a, a1);
            b1 = TFloats.MultiplyAdd(w, b, b1);
            c1 = TFloats.MultiplyAdd(w, c, c1);
            d1 = TFloats.MultiplyAdd(w, d, d1);
            w = TFloats.Create(w2[i]);
            a2 = TFloats.MultiplyAdd(w, a, a2);
            b2 = TFloats.MultiplyAdd(w, b, b2);
            c2 = TFloats.MultiplyAdd(w, c, c2);
            d2 = TFloats.MultiplyAdd(w, d, d2);
            w = TFloats.Create(w3[i]);
            a3 = TFloats.MultiplyAdd(w, a, a3);
            b3 = TFloats.MultiplyAdd(w, b, b3);
            c3 = TFloats.MultiplyAdd(w, c, c3);
            d3 = TFloats.MultiplyAdd(w, d, d3);
        }
        FourVectors.Store(a0, b0, c0, d0, output);
        FourVectors.Store(a1, b1, c1, d1, output + width);
        FourVectors.Store(a2, b2, c2, d2, output + 2 * width);
        FourVectors.Store(a3, b3, c3, d3, output + 3 * width);
    }

    [MethodImpl(KernelMethod.Compiled)]
    private static void MixTwoVectors<TCache, TFloats>(
        float* w0, long stride, void* values, int position, int end, int width, int first, int second, float* output)
        where TCache : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        float* w1 = w0 + stride, w2 = w1 + stride, w3 = w2 + stride;
        float* left = output + first, right = output + second;
        var (a0, b0) = (TFloats.Load(left), TFloats.Load(right));
        var (a1, b1) = (TFloats.Load(left + width), TFloats.Load(right + width));
        var (a2, b2) = (TFloats.Load(left + 2 * width), TFloats.Load(right + 2 * width));
        var (a3, b3) = (TFloats.Load(left + 3 * width), TFloats.Load(right + 3 * width));
        var row = (long)position * width;
        for (var i = position; i < end; i++, row += width)
        {
            var (a, b) = (TCache.Load<TFloats>(values, row + first), TCache.Load<TFloats>(values, row + second));
            var w = TFloats.Create(w0[i]);
            a0 = TFloats.MultiplyAdd(w, a, a0);
            b0 = TFloats.MultiplyAdd(w, b, b0);
            w = TFloats.Create(w1[i]);
            a1 = TFloats.MultiplyAdd(w, a, a1);
            b1 = TFloats.MultiplyAdd(w, b, b1);
            w = TFloats.Create(w2[i]);
            a2 = TFloats.MultiplyAdd(w, a, a2);
            b2 = TFloats.MultiplyAdd(w, b, b2);
            w = TFloats.Create(w3[i]);
            a3 = TFloats.MultiplyAdd(w, a, a3);
            b3 = TFloats.MultiplyAdd(w, b, b3);
        }
        a0.Store(left);
        b0.Store(right);
        a1.Store(left + width);
        b1.Store(right + width);
        a2.Store(left + 2 * width);
        b2.Store(right + 2 * width);
        a3.Store(left + 3 * width);
        b3.Store(right + 3 * width);
    }

    [MethodImpl(KernelMethod.Compiled)]
    private static void MixOne<TCache, TFloats>(float* weights, void* values, int length, int width, float* output)
        where TCache : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var mixed = 0;
        for (; mixed + 4 * TFloats.Count <= width; mixed += 4 * TFloats.Count)
        {
            TFloats a = default, b = default, c = default, d = default;
            long at = mixed;
            for (var i = 0; i < length; i++, at += width)
            {
                var w = TFloats.Create(weights[i]);
                a = TFloats.MultiplyAdd(w, TCache.Load<TFloats>(values, at), a);
                b = TFloats.MultiplyAdd(w, TCache.Load<TFloats>(values, at + TFloats.Count), b);
                c = TFloats.MultiplyAdd(w, TCache.Load<TFloats>(values, at + 2 * TFloats.Count), c);
                d = TFloats.MultiplyAdd(w, TCache.Load<TFloats>(values, at + 3 * TFloats.Count), d);
            }
            FourVectors.Store(a, b, c, d, output + mixed);
        }
        for (; mixed < width; mixed += TFloats.Count)
        {
            TFloats a = default;
            long at = mixed;
            for (var i = 0; i < length; i++, at += width)
                a = TFloats.MultiplyAdd(TFloats.Create(weights[i]), TCache.Load<TFloats>(values, at), a);
            a.Store(output + mixed);
        }
    }
}
