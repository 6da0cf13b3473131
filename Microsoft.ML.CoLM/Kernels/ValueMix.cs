using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Sums of the cached values of a head, each by its weight, as <see cref="CachedAttention"/> lays them out.</summary>
internal static unsafe class ValueMix
{
    private const int Lanes = CachedAttention.Lanes;

    // Features of a value that are mixed together where there are as many: sixteen sums.
    private const int WideMix = 4 * Lanes;

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
    public static void Compute<TCache>(
        ReadOnlySpan<int> lengths, int longest, int width, void* values, float* weights, long stride, float* output)
        where TCache : struct, IElement
    {
        if (lengths.Length == 1)
        {
            for (var mixed = 0; mixed < width; mixed += Lanes)
                MixOne<TCache>(weights, values, longest, width, mixed, output);
            return;
        }
        new Span<float>(output, CachedAttention.PaddedQueries(lengths.Length) * width).Clear();
        // Four by four, all queries go over the values that the first-level cache holds, before the next ones are read.
        for (var first = 0; first < longest; first += CachedAttention.PositionsAtOnce)
        {
            for (var q = 0; q < lengths.Length; q += CachedAttention.QueriesAtOnce)
            {
                var end = Math.Min(first + CachedAttention.PositionsAtOnce, CachedAttention.LongestOfFour(lengths, q));
                float* from = weights + q * stride, to = output + q * width;
                var mixed = 0;
                for (; first < end && mixed + WideMix <= width; mixed += WideMix)
                    MixFourWide<TCache>(from, stride, values, first, end, width, mixed, to);
                for (; first < end && mixed < width; mixed += Lanes)
                    MixFour<TCache>(from, stride, values, first, end, width, mixed, to);
            }
        }
    }

    // 64 features of four queries, with what is there added. A position whose weight is zero adds nothing, to the bit.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MixFourWide<TCache>(
        float* w0, long stride, void* values, int position, int end, int width, int first, float* output)
        where TCache : struct, IElement
    {
        float* w1 = w0 + stride, w2 = w1 + stride, w3 = w2 + stride;
        output += first;
        var (a0, b0, c0, d0) = FourVectors.Load(output);
        var (a1, b1, c1, d1) = FourVectors.Load(output + width);
        var (a2, b2, c2, d2) = FourVectors.Load(output + 2 * width);
        var (a3, b3, c3, d3) = FourVectors.Load(output + 3 * width);
        var at = (long)position * width + first;
        for (var i = position; i < end; i++, at += width)
        {
            var (a, b) = (TCache.Load(values, at), TCache.Load(values, at + Lanes));
            var (c, d) = (TCache.Load(values, at + 2 * Lanes), TCache.Load(values, at + 3 * Lanes));
            var w = Vector512.Create(w0[i]);
            a0 = Vector512.FusedMultiplyAdd(w, a, a0);
            b0 = Vector512.FusedMultiplyAdd(w, b, b0);
            c0 = Vector512.FusedMultiplyAdd(w, c, c0);
            d0 = Vector512.FusedMultiplyAdd(w, d, d0);
            w = Vector512.Create(w1[i]);
            a1 = Vector512.FusedMultiplyAdd(w, a, a1);
            b1 = Vector512.FusedMultiplyAdd(w, b, b1);
            c1 = Vector512.FusedMultiplyAdd(w, c, c1);
            d1 = Vector512.FusedMultiplyAdd(w, d, d1);
            w = Vector512.Create(w2[i]);
            a2 = Vector512.FusedMultiplyAdd(w, a, a2);
            b2 = Vector512.FusedMultiplyAdd(w, b, b2);
            c2 = Vector512.FusedMultiplyAdd(w, c, c2);
            d2 = Vector512.FusedMultiplyAdd(w, d, d2);
            w = Vector512.Create(w3[i]);
            a3 = Vector512.FusedMultiplyAdd(w, a, a3);
            b3 = Vector512.FusedMultiplyAdd(w, b, b3);
            c3 = Vector512.FusedMultiplyAdd(w, c, c3);
            d3 = Vector512.FusedMultiplyAdd(w, d, d3);
        }
        FourVectors.Store(a0, b0, c0, d0, output);
        FourVectors.Store(a1, b1, c1, d1, output + width);
        FourVectors.Store(a2, b2, c2, d2, output + 2 * width);
        FourVectors.Store(a3, b3, c3, d3, output + 3 * width);
    }

    // As of 64 features, of 16.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MixFour<TCache>(
        float* w0, long stride, void* values, int position, int end, int width, int first, float* output)
        where TCache : struct, IElement
    {
        float* w1 = w0 + stride, w2 = w1 + stride, w3 = w2 + stride;
        output += first;
        var (a0, a1) = (Vector512.Load(output), Vector512.Load(output + width));
        var (a2, a3) = (Vector512.Load(output + 2 * width), Vector512.Load(output + 3 * width));
        var at = (long)position * width + first;
        for (var i = position; i < end; i++, at += width)
        {
            var v = TCache.Load(values, at);
            a0 = Vector512.FusedMultiplyAdd(Vector512.Create(w0[i]), v, a0);
            a1 = Vector512.FusedMultiplyAdd(Vector512.Create(w1[i]), v, a1);
            a2 = Vector512.FusedMultiplyAdd(Vector512.Create(w2[i]), v, a2);
            a3 = Vector512.FusedMultiplyAdd(Vector512.Create(w3[i]), v, a3);
        }
        a0.Store(output);
        a1.Store(output + width);
        a2.Store(output + 2 * width);
        a3.Store(output + 3 * width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MixOne<TCache>(float* weights, void* values, int length, int width, int first, float* output)
        where TCache : struct, IElement
    {
        Vector512<float> a = default;
        long at = first;
        for (var i = 0; i < length; i++, at += width)
            a = Vector512.FusedMultiplyAdd(Vector512.Create(weights[i]), TCache.Load(values, at), a);
        a.Store(output + first);
    }
}
