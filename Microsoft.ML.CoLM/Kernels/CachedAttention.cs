using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Attention of some queries to cached keys and values, softmax(q · kᵀ) · v, in float32 whatever the cache's type.
/// </summary>
/// <remarks>
/// Keys lie in blocks of 16 positions, [capacity / 16, d, 16], so that one vector holds a feature of 16 neighbours; values
/// lie position by position, [capacity, d rounded up to 16]. Either is read in place by all queries of its head. A query's
/// result is the same to the bit whichever queries are worked on beside it.
/// </remarks>
internal static unsafe class CachedAttention
{
    /// <summary>Queries that share registers; their number is rounded up to whole fours.</summary>
    public const int QueriesAtOnce = 4;

    /// <summary>Positions of a block of keys, and floats of a vector.</summary>
    public const int Lanes = 16;

    // So many positions' keys, or values, take half of a small first-level cache.
    private const int PositionsAtOnce = 4 * Lanes;

    // Features of a value that are mixed together where there are as many: sixteen sums.
    private const int WideMix = 4 * Lanes;

    /// <summary>Rounded up to whole vectors.</summary>
    public static int Padded(int count) => (count + Lanes - 1) / Lanes * Lanes;

    /// <summary>Floats from a query's scores to the next one's: in caches they must not take each other's places.</summary>
    public static int ScoreStride(int length) => Padded(length) + Lanes;

    /// <summary>Copies a position's key and value into the cache.</summary>
    /// <param name="key">[d].</param>
    /// <param name="value">[d].</param>
    /// <param name="d">The head's width.</param>
    /// <param name="position">Where to.</param>
    /// <param name="keys">The head's keys.</param>
    /// <param name="values">The head's values.</param>
    public static void Store<TCache>(float* key, float* value, int d, int position, void* keys, void* values)
        where TCache : struct, IElement
    {
        var block = (long)(position / Lanes) * d * Lanes + position % Lanes;
        for (var c = 0; c < d; c++)
            TCache.Set(keys, block + (long)c * Lanes, key[c]);
        var row = (long)position * Padded(d);
        for (var c = 0; c < d; c++)
            TCache.Set(values, row + c, value[c]);
    }

    /// <summary>Some queries of one key-value head.</summary>
    /// <param name="queries">
    /// [queries, rounded up to fours, d], scaled by 1 / sqrt(d); those that round up are zero.
    /// </param>
    /// <param name="lengths">For each query, the positions it reads, from the first on; at least 1.</param>
    /// <param name="d">The head's width.</param>
    /// <param name="keys">The head's keys.</param>
    /// <param name="values">The head's values.</param>
    /// <param name="scores">Room for [queries, rounded up to fours, <see cref="ScoreStride"/> of the longest length].</param>
    /// <param name="output">[queries, rounded up to fours, d, padded], written.</param>
    public static void Attend<TCache>(
        float* queries, ReadOnlySpan<int> lengths, int d, void* keys, void* values, float* scores, float* output)
        where TCache : struct, IElement
    {
        var (count, longest) = (lengths.Length, 0);
        foreach (var length in lengths)
            longest = Math.Max(longest, length);
        long stride = ScoreStride(longest);
        if (count == 1)
            ScoresOfOne<TCache>(queries, d, keys, Padded(longest) / Lanes, scores);
        else
            Score<TCache>(queries, lengths, d, keys, longest, scores, stride);
        var sums = stackalloc float[count];
        for (var q = 0; q < count; q++)
            sums[q] = Softmax(scores + q * stride, lengths[q], Padded(LongestOfFour(lengths, q / QueriesAtOnce * QueriesAtOnce)));

        var width = Padded(d);
        if (count == 1)
        {
            for (var mixed = 0; mixed < width; mixed += Lanes)
                MixOne<TCache>(scores, values, longest, width, mixed, output);
        }
        else
        {
            Mix<TCache>(lengths, longest, width, values, scores, stride, output);
        }
        for (var q = 0; q < count; q++)
        {
            var inverse = Vector512.Create(1 / sums[q]);
            for (var c = 0; c < width; c += Lanes)
                (Vector512.Load(output + q * width + c) * inverse).Store(output + q * width + c);
        }
    }

    // Four by four, all queries go over the keys that the first-level cache holds, before the next ones are read.
    private static void Score<TCache>(
        float* queries, ReadOnlySpan<int> lengths, int d, void* keys, int longest, float* scores, long stride)
        where TCache : struct, IElement
    {
        for (var first = 0; first < longest; first += PositionsAtOnce)
        {
            for (var q = 0; q < lengths.Length; q += QueriesAtOnce)
            {
                var end = Math.Min(first + PositionsAtOnce, LongestOfFour(lengths, q));
                if (first < end)
                    ScoresOfFour<TCache>(queries + q * d, d, keys, first / Lanes, Padded(end) / Lanes, scores + q * stride, stride);
            }
        }
    }

    // As the scores, with the values.
    private static void Mix<TCache>(
        ReadOnlySpan<int> lengths, int longest, int width, void* values, float* weights, long stride, float* output)
        where TCache : struct, IElement
    {
        new Span<float>(output, (lengths.Length + QueriesAtOnce - 1) / QueriesAtOnce * QueriesAtOnce * width).Clear();
        for (var first = 0; first < longest; first += PositionsAtOnce)
        {
            for (var q = 0; q < lengths.Length; q += QueriesAtOnce)
            {
                var end = Math.Min(first + PositionsAtOnce, LongestOfFour(lengths, q));
                float* from = weights + q * stride, to = output + q * width;
                var mixed = 0;
                for (; first < end && mixed + WideMix <= width; mixed += WideMix)
                    MixFourWide<TCache>(from, stride, values, first, end, width, mixed, to);
                for (; first < end && mixed < width; mixed += Lanes)
                    MixFour<TCache>(from, stride, values, first, end, width, mixed, to);
            }
        }
    }

    private static int LongestOfFour(ReadOnlySpan<int> lengths, int first)
    {
        var longest = 0;
        foreach (var length in lengths[first..Math.Min(first + QueriesAtOnce, lengths.Length)])
            longest = Math.Max(longest, length);
        return longest;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoresOfFour<TCache>(
        float* q0, int d, void* keys, int first, int blocks, float* scores, long stride)
        where TCache : struct, IElement
    {
        float* q1 = q0 + d, q2 = q1 + d, q3 = q2 + d;
        var block = (long)d * Lanes;
        var b = first;
        for (; b + 4 <= blocks; b += 4)
        {
            Vector512<float> a00 = default, a01 = default, a02 = default, a03 = default;
            Vector512<float> a10 = default, a11 = default, a12 = default, a13 = default;
            Vector512<float> a20 = default, a21 = default, a22 = default, a23 = default;
            Vector512<float> a30 = default, a31 = default, a32 = default, a33 = default;
            var at = b * block;
            for (var c = 0; c < d; c++, at += Lanes)
            {
                var (k0, k1) = (TCache.Load(keys, at), TCache.Load(keys, at + block));
                var (k2, k3) = (TCache.Load(keys, at + 2 * block), TCache.Load(keys, at + 3 * block));
                var q = Vector512.Create(q0[c]);
                a00 = Vector512.FusedMultiplyAdd(q, k0, a00);
                a01 = Vector512.FusedMultiplyAdd(q, k1, a01);
                a02 = Vector512.FusedMultiplyAdd(q, k2, a02);
                a03 = Vector512.FusedMultiplyAdd(q, k3, a03);
                q = Vector512.Create(q1[c]);
                a10 = Vector512.FusedMultiplyAdd(q, k0, a10);
                a11 = Vector512.FusedMultiplyAdd(q, k1, a11);
                a12 = Vector512.FusedMultiplyAdd(q, k2, a12);
                a13 = Vector512.FusedMultiplyAdd(q, k3, a13);
                q = Vector512.Create(q2[c]);
                a20 = Vector512.FusedMultiplyAdd(q, k0, a20);
                a21 = Vector512.FusedMultiplyAdd(q, k1, a21);
                a22 = Vector512.FusedMultiplyAdd(q, k2, a22);
                a23 = Vector512.FusedMultiplyAdd(q, k3, a23);
                q = Vector512.Create(q3[c]);
                a30 = Vector512.FusedMultiplyAdd(q, k0, a30);
                a31 = Vector512.FusedMultiplyAdd(q, k1, a31);
                a32 = Vector512.FusedMultiplyAdd(q, k2, a32);
                a33 = Vector512.FusedMultiplyAdd(q, k3, a33);
            }
            var row = scores + (long)b * Lanes;
            Store(a00, a01, a02, a03, row);
            Store(a10, a11, a12, a13, row + stride);
            Store(a20, a21, a22, a23, row + 2 * stride);
            Store(a30, a31, a32, a33, row + 3 * stride);
        }
        for (; b < blocks; b++)
        {
            Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default;
            var at = b * block;
            for (var c = 0; c < d; c++, at += Lanes)
            {
                var k = TCache.Load(keys, at);
                a0 = Vector512.FusedMultiplyAdd(Vector512.Create(q0[c]), k, a0);
                a1 = Vector512.FusedMultiplyAdd(Vector512.Create(q1[c]), k, a1);
                a2 = Vector512.FusedMultiplyAdd(Vector512.Create(q2[c]), k, a2);
                a3 = Vector512.FusedMultiplyAdd(Vector512.Create(q3[c]), k, a3);
            }
            var row = scores + (long)b * Lanes;
            a0.Store(row);
            a1.Store(row + stride);
            a2.Store(row + 2 * stride);
            a3.Store(row + 3 * stride);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoresOfOne<TCache>(float* query, int d, void* keys, int blocks, float* scores)
        where TCache : struct, IElement
    {
        var block = (long)d * Lanes;
        var b = 0;
        for (; b + 4 <= blocks; b += 4)
        {
            Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default;
            var at = b * block;
            for (var c = 0; c < d; c++, at += Lanes)
            {
                var q = Vector512.Create(query[c]);
                a0 = Vector512.FusedMultiplyAdd(q, TCache.Load(keys, at), a0);
                a1 = Vector512.FusedMultiplyAdd(q, TCache.Load(keys, at + block), a1);
                a2 = Vector512.FusedMultiplyAdd(q, TCache.Load(keys, at + 2 * block), a2);
                a3 = Vector512.FusedMultiplyAdd(q, TCache.Load(keys, at + 3 * block), a3);
            }
            Store(a0, a1, a2, a3, scores + (long)b * Lanes);
        }
        for (; b < blocks; b++)
        {
            Vector512<float> a = default;
            var at = b * block;
            for (var c = 0; c < d; c++, at += Lanes)
                a = Vector512.FusedMultiplyAdd(Vector512.Create(query[c]), TCache.Load(keys, at), a);
            a.Store(scores + (long)b * Lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float> A, Vector512<float> B, Vector512<float> C, Vector512<float> D) Load(float* row) =>
        (Vector512.Load(row), Vector512.Load(row + Lanes), Vector512.Load(row + 2 * Lanes), Vector512.Load(row + 3 * Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(
        Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* row)
    {
        a.Store(row);
        b.Store(row + Lanes);
        c.Store(row + 2 * Lanes);
        d.Store(row + 3 * Lanes);
    }

    /// <summary>Turns scores into the softmax's numerators, zero from the length on, and returns their sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Softmax(float* row, int length, int padded)
    {
        // Whole vectors, since those that are loaded next would wait for single numbers to be stored.
        for (var i = length / Lanes * Lanes; i < padded; i += Lanes)
        {
            var isRead = Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(length - i)).AsSingle();
            Vector512.ConditionalSelect(isRead, Vector512.Load(row + i), Vector512.Create(float.NegativeInfinity)).Store(row + i);
        }
        // What is not a number need not be found here: it makes the sum none.
        var most = Vector512.Load(row);
        for (var i = Lanes; i < length; i += Lanes)
            most = Vector512.MaxNative(most, Vector512.Load(row + i));
        var halves = Vector256.MaxNative(most.GetLower(), most.GetUpper());
        var quarters = Vector128.MaxNative(halves.GetLower(), halves.GetUpper());
        quarters = Vector128.MaxNative(quarters, Vector128.Shuffle(quarters, Vector128.Create(2, 3, 0, 1)));
        quarters = Vector128.MaxNative(quarters, Vector128.Shuffle(quarters, Vector128.Create(1, 0, 3, 2)));

        var sums = Vector512<float>.Zero;
        var shift = Vector512.Create(quarters.ToScalar());
        for (var i = 0; i < padded; i += Lanes)
        {
            var weights = VectorMath.ExpOfNonPositive(Vector512.Load(row + i) - shift);
            sums += weights;
            weights.Store(row + i);
        }
        return LaneSums.Sum(sums);
    }

    // 64 features of four queries, with what is there added. A position whose weight is zero adds nothing, to the bit.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MixFourWide<TCache>(
        float* w0, long stride, void* values, int position, int end, int width, int first, float* output)
        where TCache : struct, IElement
    {
        float* w1 = w0 + stride, w2 = w1 + stride, w3 = w2 + stride;
        output += first;
        var (a0, b0, c0, d0) = Load(output);
        var (a1, b1, c1, d1) = Load(output + width);
        var (a2, b2, c2, d2) = Load(output + 2 * width);
        var (a3, b3, c3, d3) = Load(output + 3 * width);
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
        Store(a0, b0, c0, d0, output);
        Store(a1, b1, c1, d1, output + width);
        Store(a2, b2, c2, d2, output + 2 * width);
        Store(a3, b3, c3, d3, output + 3 * width);
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
