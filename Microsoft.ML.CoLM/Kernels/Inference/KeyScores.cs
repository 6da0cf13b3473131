using System.Runtime.CompilerServices;

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
    public static void Compute<TCache, TFloats>(
        float* queries, ReadOnlySpan<int> lengths, int d, void* keys, int longest, float* scores, long stride)
        where TCache : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        if (lengths.Length == 1)
        {
            ScoresOfOne<TCache, TFloats>(queries, d, keys, CachedAttention.Padded(longest) / TFloats.Count, scores);
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
                ScoresOfFour<TCache, TFloats>(queries + q * d, d, keys, first / TFloats.Count,
                    CachedAttention.Padded(end) / TFloats.Count, scores + q * stride, stride);
            }
        }
    }

    // Scores of four queries, of as many vectors of positions at once as there are registers for their sums.
    [MethodImpl(KernelMethod.Compiled)]
    private static void ScoresOfFour<TCache, TFloats>(
        float* q0, int d, void* keys, int first, int end, float* scores, long stride)
        where TCache : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        float* q1 = q0 + d, q2 = q1 + d, q3 = q2 + d;
        var vector = first;
        for (; TFloats.HasManyRegisters && vector + 4 <= end; vector += 4)
        {
            TFloats a00 = default, a01 = default, a02 = default, a03 = default;
            TFloats a10 = default, a11 = default, a12 = default, a13 = default;
            TFloats a20 = default, a21 = default, a22 = default, a23 = default;
            TFloats a30 = default, a31 = default, a32 = default, a33 = default;
            var at = Start<TFloats>(vector, d);
            var (next, third) = (Start<TFloats>(vector + 1, d) - at, Start<TFloats>(vector + 2, d) - at);
            var last = Start<TFloats>(vector + 3, d) - at;
            for (var c = 0; c < d; c++, at += Lanes)
            {
                var (k0, k1) = (TCache.Load<TFloats>(keys, at), TCache.Load<TFloats>(keys, at + next));
                var (k2, k3) = (TCache.Load<TFloats>(keys, at + third), TCache.Load<TFloats>(keys, at + last));
                var q = TFloats.Create(q0[c]);
                a00 = TFloats.MultiplyAdd(q, k0, a00);
                a01 = TFloats.MultiplyAdd(q, k1, a01);
                a02 = TFloats.MultiplyAdd(q, k2, a02);
                a03 = TFloats.MultiplyAdd(q, k3, a03);
                q = TFloats.Create(q1[c]);
                a10 = TFloats.MultiplyAdd(q, k0, a10);
                a11 = TFloats.MultiplyAdd(q, k1, a11);
                a12 = TFloats.MultiplyAdd(q, k2, a12);
                a13 = TFloats.MultiplyAdd(q, k3, a13);
                q = TFloats.Create(q2[c]);
                a20 = TFloats.MultiplyAdd(q, k0, a20);
                a21 = TFloats.MultiplyAdd(q, k1, a21);
                a22 = TFloats.MultiplyAdd(q, k2, a22);
                a23 = TFloats.MultiplyAdd(q, k3, a23);
                q = TFloats.Create(q3[c]);
                a30 = TFloats.MultiplyAdd(q, k0, a30);
                a31 = TFloats.MultiplyAdd(q, k1, a31);
                a32 = TFloats.MultiplyAdd(q, k2, a32);
                a33 = TFloats.MultiplyAdd(q, k3, a33);
            }
            var row = scores + (long)vector * TFloats.Count;
            FourVectors.Store(a00, a01, a02, a03, row);
            FourVectors.Store(a10, a11, a12, a13, row + stride);
            FourVectors.Store(a20, a21, a22, a23, row + 2 * stride);
            FourVectors.Store(a30, a31, a32, a33, row + 3 * stride);
        }
        for (; vector < end; vector += 2)
        {
            // The last one alone is computed twice.
            var second = Math.Min(vector + 1, end - 1);
            TFloats a00 = default, a10 = default, a20 = default, a30 = default;
            TFloats a01 = default, a11 = default, a21 = default, a31 = default;
            var at = Start<TFloats>(vector, d);
            var next = Start<TFloats>(second, d) - at;
            for (var c = 0; c < d; c++, at += Lanes)
            {
                var (k0, k1) = (TCache.Load<TFloats>(keys, at), TCache.Load<TFloats>(keys, at + next));
                var q = TFloats.Create(q0[c]);
                a00 = TFloats.MultiplyAdd(q, k0, a00);
                a01 = TFloats.MultiplyAdd(q, k1, a01);
                q = TFloats.Create(q1[c]);
                a10 = TFloats.MultiplyAdd(q, k0, a10);
                a11 = TFloats.MultiplyAdd(q, k1, a11);
                q = TFloats.Create(q2[c]);
                a20 = TFloats.MultiplyAdd(q, k0, a20);
                a21 = TFloats.MultiplyAdd(q, k1, a21);
                q = TFloats.Create(q3[c]);
                a30 = TFloats.MultiplyAdd(q, k0, a30);
                a31 = TFloats.MultiplyAdd(q, k1, a31);
            }
            float* row = scores + (long)vector * TFloats.Count, secondRow = scores + (long)second * TFloats.Count;
            a00.Store(row);
            a01.Store(secondRow);
            a10.Store(row + stride);
            a11.Store(secondRow + stride);
            a20.Store(row + 2 * stride);
            a21.Store(secondRow + 2 * stride);
            a30.Store(row + 3 * stride);
            a31.Store(secondRow + 3 * stride);
        }
    }

    [MethodImpl(KernelMethod.Compiled)]
    private static void ScoresOfOne<TCache, TFloats>(float* query, int d, void* keys, int end, float* scores)
        where TCache : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var vector = 0;
        for (; vector + 4 <= end; vector += 4)
        {
            TFloats a0 = default, a1 = default, a2 = default, a3 = default;
            var at = Start<TFloats>(vector, d);
            var (next, third) = (Start<TFloats>(vector + 1, d) - at, Start<TFloats>(vector + 2, d) - at);
            var last = Start<TFloats>(vector + 3, d) - at;
            for (var c = 0; c < d; c++, at += Lanes)
            {
                var q = TFloats.Create(query[c]);
                a0 = TFloats.MultiplyAdd(q, TCache.Load<TFloats>(keys, at), a0);
                a1 = TFloats.MultiplyAdd(q, TCache.Load<TFloats>(keys, at + next), a1);
                a2 = TFloats.MultiplyAdd(q, TCache.Load<TFloats>(keys, at + third), a2);
                a3 = TFloats.MultiplyAdd(q, TCache.Load<TFloats>(keys, at + last), a3);
            }
            FourVectors.Store(a0, a1, a2, a3, scores + (long)vector * TFloats.Count);
        }
        for (; vector < end; vector++)
        {
            TFloats a = default;
            var at = Start<TFloats>(vector, d);
            for (var c = 0; c < d; c++, at += Lanes)
                a = TFloats.MultiplyAdd(TFloats.Create(query[c]), TCache.Load<TFloats>(keys, at), a);
            a.Store(scores + (long)vector * TFloats.Count);
        }
    }

    /// <summary>Where the first feature of a vector of positions is; a block of 16 has one vector or several.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Start<TFloats>(int vector, int d)
        where TFloats : struct, IFloats<TFloats>
    {
        var position = vector * TFloats.Count;
        return (long)(position / Lanes) * d * Lanes + position % Lanes;
    }
}
