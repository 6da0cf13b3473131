using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Products of queries with the cached keys of their head, as <see cref="CachedAttention"/> lays them out.</summary>
internal static unsafe class KeyScores
{
    private const int Lanes = CachedAttention.Lanes;

    /// <summary>Computes each query's scores, at least those that it reads.</summary>
    /// <param name="queries">[queries, rounded up to fours, d].</param>
    /// <param name="lengths">For each query, the positions it reads.</param>
    /// <param name="d">The head's width.</param>
    /// <param name="keys">The head's keys.</param>
    /// <param name="longest">The longest length.</param>
    /// <param name="scores">
    /// Queries, rounded up to fours, <paramref name="stride"/> apart; written up to the longest length of their four, in whole
    /// vectors.
    /// </param>
    /// <param name="stride">Floats from a query's scores to the next one's.</param>
    public static void Compute<TCache>(
        float* queries, ReadOnlySpan<int> lengths, int d, void* keys, int longest, float* scores, long stride)
        where TCache : struct, IElement
    {
        if (lengths.Length == 1)
        {
            ScoresOfOne<TCache>(queries, d, keys, CachedAttention.Padded(longest) / Lanes, scores);
            return;
        }
        // Four by four, all queries go over the keys that the first-level cache holds, before the next ones are read.
        for (var first = 0; first < longest; first += CachedAttention.PositionsAtOnce)
        {
            for (var q = 0; q < lengths.Length; q += CachedAttention.QueriesAtOnce)
            {
                var end = Math.Min(first + CachedAttention.PositionsAtOnce, CachedAttention.LongestOfFour(lengths, q));
                if (first >= end)
                    continue;
                ScoresOfFour<TCache>(queries + q * d, d, keys, first / Lanes, CachedAttention.Padded(end) / Lanes,
                    scores + q * stride, stride);
            }
        }
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
            FourVectors.Store(a00, a01, a02, a03, row);
            FourVectors.Store(a10, a11, a12, a13, row + stride);
            FourVectors.Store(a20, a21, a22, a23, row + 2 * stride);
            FourVectors.Store(a30, a31, a32, a33, row + 3 * stride);
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
            FourVectors.Store(a0, a1, a2, a3, scores + (long)b * Lanes);
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
}
