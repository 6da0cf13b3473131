using System.Runtime.CompilerServices;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Attention of some queries to cached keys and values, softmax(q · kᵀ) · v, in float32 whatever the cache's type.
/// </summary>
/// <remarks>
/// Keys lie in blocks of 16 positions, [capacity / 16, d, 16], so that whole vectors, whatever their width, hold a feature of
/// neighbours; values lie position by position, [capacity, d rounded up to 16]. Either is read in place by all queries of its
/// head. A query's result is the same to the bit whichever queries are worked on beside it.
/// </remarks>
internal static unsafe class CachedAttention
{
    /// <summary>Queries that share registers; their number is rounded up to whole fours.</summary>
    public const int QueriesAtOnce = 4;

    /// <summary>Floats of the widest vector: positions of a block of keys, and what a value's width is a multiple of.</summary>
    public const int Lanes = 16;

    /// <summary>So many positions' keys, or values, take half of a small first-level cache.</summary>
    public const int PositionsAtOnce = 4 * Lanes;

    /// <summary>Rounded up to whole groups of queries that share registers.</summary>
    public static int PaddedQueries(int count) => (count + QueriesAtOnce - 1) / QueriesAtOnce * QueriesAtOnce;

    /// <summary>Rounded up to whole vectors.</summary>
    public static int Padded(int count) => (count + Lanes - 1) / Lanes * Lanes;

    /// <summary>Floats from a query's scores to the next one's: in caches they must not take each other's places.</summary>
    public static int ScoreStride(int length) => Padded(length) + Lanes;

    /// <summary>Where a head's keys, or values, begin.</summary>
    /// <param name="memory">Those of all sequences and heads of a chain.</param>
    /// <param name="capacity">Positions that there is room for.</param>
    /// <param name="width">d of keys, d padded of values.</param>
    /// <param name="heads">Heads of the chain.</param>
    /// <param name="sequence">The sequence.</param>
    /// <param name="head">The head.</param>
    public static void* Head<TCache>(nint memory, int capacity, int width, int heads, int sequence, int head)
        where TCache : struct, IElement =>
        (void*)(memory + ((nint)sequence * heads + head) * Padded(capacity) * width * TCache.Size);

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
        switch (VectorWidth.Floats)
        {
            case 16: Attend<TCache, Floats16>(queries, lengths, d, keys, values, scores, output); break;
            case 8: Attend<TCache, Floats8>(queries, lengths, d, keys, values, scores, output); break;
            default: Attend<TCache, Floats4>(queries, lengths, d, keys, values, scores, output); break;
        }
    }

    /// <inheritdoc cref="Attend{TCache}"/>
    public static void Attend<TCache, TFloats>(
        float* queries, ReadOnlySpan<int> lengths, int d, void* keys, void* values, float* scores, float* output)
        where TCache : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var (count, longest) = (lengths.Length, 0);
        foreach (var length in lengths)
            longest = Math.Max(longest, length);
        long stride = ScoreStride(longest);
        KeyScores.Compute<TCache, TFloats>(queries, lengths, d, keys, longest, scores, stride);
        var sums = stackalloc float[count];
        for (var q = 0; q < count; q++)
        {
            var longestOfFour = LongestOfFour(lengths, q / QueriesAtOnce * QueriesAtOnce);
            sums[q] = Softmax<TFloats>(scores + q * stride, lengths[q], Padded(longestOfFour));
        }

        var width = Padded(d);
        ValueMix.Compute<TCache, TFloats>(lengths, longest, width, values, scores, stride, output);
        for (var q = 0; q < count; q++)
        {
            var inverse = TFloats.Create(1 / sums[q]);
            for (var c = 0; c < width; c += TFloats.Count)
                (TFloats.Load(output + q * width + c) * inverse).Store(output + q * width + c);
        }
    }

    /// <summary>The longest of the lengths of queries that share registers.</summary>
    public static int LongestOfFour(ReadOnlySpan<int> lengths, int first)
    {
        var longest = 0;
        foreach (var length in lengths[first..Math.Min(first + QueriesAtOnce, lengths.Length)])
            longest = Math.Max(longest, length);
        return longest;
    }

    /// <summary>Turns scores into the softmax's numerators, zero from the length on, and returns their sum.</summary>
    [MethodImpl(KernelMethod.Compiled)]
    private static float Softmax<TFloats>(float* row, int length, int padded)
        where TFloats : struct, IFloats<TFloats>
    {
        // Whole vectors, since those that are loaded next would wait for single numbers to be stored.
        var nothing = TFloats.Create(float.NegativeInfinity);
        for (var i = length / TFloats.Count * TFloats.Count; i < padded; i += TFloats.Count)
            TFloats.Head(length - i, TFloats.Load(row + i), nothing).Store(row + i);
        // What is not a number need not be found here: it makes the sum none.
        var most = TFloats.Load(row);
        for (var i = TFloats.Count; i < length; i += TFloats.Count)
            most = TFloats.Max(most, TFloats.Load(row + i));

        var sums = default(TFloats);
        var shift = TFloats.Create(most.Greatest());
        for (var i = 0; i < padded; i += TFloats.Count)
        {
            var weights = VectorMath.ExpOfNonPositive(TFloats.Load(row + i) - shift);
            sums += weights;
            weights.Store(row + i);
        }
        return LaneSums.Sum(sums);
    }
}
