using System.Runtime.CompilerServices;
using TorchSharp;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Causal grouped-query attention in float32 on the CPU: softmax(q · kᵀ / sqrt(d)) · v, each query reading the keys up to
/// its own position.
/// </summary>
/// <remarks>
/// Vectors run along the keys, so that a head may be as narrow as it likes, and a key-value head is read in place by all
/// its queries. A query's result depends on nothing but its own keys: neither on the heads beside it nor on the batch.
/// </remarks>
/// <typeparam name="TFloats">The vectors to compute with, of at most <see cref="AttentionScratch.Lanes"/> numbers.</typeparam>
internal static unsafe class AttentionKernel<TFloats>
    where TFloats : struct, IFloats<TFloats>
{
    private const int QueriesAtOnce = AttentionScratch.QueriesAtOnce;

    // Below so many multiplications, handing work to another thread costs more than it saves.
    private const double WorthSharing = 1 << 18;

    /// <summary>The attention's result, and what its gradient needs.</summary>
    /// <param name="shape">The sizes.</param>
    /// <param name="queries">[groups, queries, length, d].</param>
    /// <param name="keys">[groups, 1, length, d].</param>
    /// <param name="values">[groups, 1, length, d].</param>
    /// <param name="output">[groups, queries, length, d], written.</param>
    /// <param name="logSums">[groups, queries, length], written: log of the sum of each query's exponentials.</param>
    public static void Forward(
        AttentionShape shape, nint queries, nint keys, nint values, nint output, nint logSums) =>
        ForEachGroup(shape, (group, scratch) =>
        {
            scratch.Transpose((float*)keys + group * shape.KeyStride, scratch.Keys);
            scratch.Transpose((float*)values + group * shape.KeyStride, scratch.Values);
            for (var head = 0; head < shape.Queries; head++)
            {
                var offset = group * shape.QueryStride + head * shape.KeyStride;
                ForwardHead(shape, scratch, (float*)queries + offset, (float*)output + offset,
                    (float*)logSums + ((long)group * shape.Queries + head) * shape.Length);
            }
        });

    /// <summary>The gradients of <see cref="Forward"/>.</summary>
    /// <param name="shape">The sizes.</param>
    /// <param name="queries">As in <see cref="Forward"/>.</param>
    /// <param name="keys">As in <see cref="Forward"/>.</param>
    /// <param name="values">As in <see cref="Forward"/>.</param>
    /// <param name="output">What <see cref="Forward"/> wrote.</param>
    /// <param name="logSums">What <see cref="Forward"/> wrote.</param>
    /// <param name="outputGradient">[groups, queries, length, d].</param>
    /// <param name="queryGradient">[groups, queries, length, d], written.</param>
    /// <param name="keyGradient">[groups, 1, length, d], written; 0 where it is not needed.</param>
    /// <param name="valueGradient">As <paramref name="keyGradient"/>; both are needed, or neither is.</param>
    public static void Backward(
        AttentionShape shape, nint queries, nint keys, nint values, nint output, nint logSums, nint outputGradient,
        nint queryGradient, nint keyGradient, nint valueGradient) =>
        ForEachGroup(shape, (group, scratch) =>
        {
            scratch.Transpose((float*)keys + group * shape.KeyStride, scratch.Keys);
            scratch.Transpose((float*)values + group * shape.KeyStride, scratch.Values);
            scratch.ClearGradients();
            for (var head = 0; head < shape.Queries; head++)
            {
                var offset = group * shape.QueryStride + head * shape.KeyStride;
                BackwardHead(shape, scratch, (float*)queries + offset, (float*)output + offset,
                    (float*)logSums + ((long)group * shape.Queries + head) * shape.Length,
                    (float*)outputGradient + offset, (float*)queryGradient + offset, needsKeys: keyGradient != 0);
            }
            if (keyGradient != 0)
            {
                scratch.TransposeBack(scratch.KeyGradients, (float*)keyGradient + group * shape.KeyStride);
                scratch.TransposeBack(scratch.ValueGradients, (float*)valueGradient + group * shape.KeyStride);
            }
        });

    /// <summary>Threads that are worth waking for attention.</summary>
    public static int Threads(AttentionShape shape)
    {
        var multiplications = (double)shape.Groups * shape.QueryStride * shape.Length;
        return multiplications < WorthSharing ? 1 : torch.get_num_threads();
    }

    private static void ForEachGroup(AttentionShape shape, Action<int, AttentionScratch> work) =>
        ParallelWork.For(shape.Groups, Threads(shape), () => new AttentionScratch(shape), work);

    private static void ForwardHead(
        AttentionShape shape, AttentionScratch scratch, float* queries, float* output, float* logSums)
    {
        var (width, padded) = (shape.HeadWidth, shape.PaddedLength);
        var inverseSums = stackalloc float[QueriesAtOnce];
        for (var first = 0; first < shape.Length; first += QueriesAtOnce)
        {
            var count = Math.Min(QueriesAtOnce, shape.Length - first);
            var keyEnd = Math.Min(padded, RoundUp(first + QueriesAtOnce));
            scratch.LoadRows(queries + (long)first * width, count, scratch.Query);
            Scores(shape, scratch, first, keyEnd);
            for (var q = 0; q < count; q++)
            {
                var row = scratch.Weights + (long)q * padded;
                var (greatest, sum) = Softmax(row, keyEnd);
                logSums[first + q] = greatest + MathF.Log(sum);
                inverseSums[q] = 1 / sum;
            }
            Mix(shape, scratch.Weights, scratch.Values, keyEnd, output + (long)first * width, count);
            for (var q = 0; q < count; q++)
            {
                var row = output + (long)(first + q) * width;
                for (var c = 0; c < width; c++)
                    row[c] *= inverseSums[q];
            }
        }
    }

    private static void BackwardHead(
        AttentionShape shape, AttentionScratch scratch, float* queries, float* output, float* logSums,
        float* outputGradient, float* queryGradient, bool needsKeys)
    {
        var (width, padded) = (shape.HeadWidth, shape.PaddedLength);
        for (var first = 0; first < shape.Length; first += QueriesAtOnce)
        {
            var count = Math.Min(QueriesAtOnce, shape.Length - first);
            var keyEnd = Math.Min(padded, RoundUp(first + QueriesAtOnce));
            scratch.LoadRows(queries + (long)first * width, count, scratch.Query);
            scratch.LoadRows(outputGradient + (long)first * width, count, scratch.OutputGradient);
            Scores(shape, scratch, first, keyEnd);
            ScoreGradients(shape, scratch, output + (long)first * width, logSums + first, count, keyEnd);
            Mix(shape, scratch.ScoreGradients, scratch.Keys, keyEnd, queryGradient + (long)first * width, count);
            if (needsKeys)
                AddKeyGradients(shape, scratch, keyEnd);
        }
    }

    /// <summary>Scaled scores of a block of queries; minus infinity where a key lies after its query.</summary>
    private static void Scores(AttentionShape shape, AttentionScratch scratch, int first, int keyEnd)
    {
        var (width, padded) = (shape.HeadWidth, shape.PaddedLength);
        var query = scratch.Query;
        var scale = TFloats.Create(shape.Scale);
        for (var key = 0; key < keyEnd; key += TFloats.Count)
        {
            var (s0, s1, s2, s3) = (default(TFloats), default(TFloats), default(TFloats), default(TFloats));
            for (var c = 0; c < width; c++)
            {
                var k = TFloats.Load(scratch.Keys + (long)c * padded + key);
                s0 = TFloats.MultiplyAdd(TFloats.Create(query[c]), k, s0);
                s1 = TFloats.MultiplyAdd(TFloats.Create(query[width + c]), k, s1);
                s2 = TFloats.MultiplyAdd(TFloats.Create(query[2 * width + c]), k, s2);
                s3 = TFloats.MultiplyAdd(TFloats.Create(query[3 * width + c]), k, s3);
            }
            var row = scratch.Weights + key;
            Masked(s0 * scale, key, first).Store(row);
            Masked(s1 * scale, key, first + 1).Store(row + padded);
            Masked(s2 * scale, key, first + 2).Store(row + 2 * (long)padded);
            Masked(s3 * scale, key, first + 3).Store(row + 3 * (long)padded);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TFloats Masked(TFloats scores, int key, int query) =>
        TFloats.Head(query - key + 1, scores, TFloats.Create(float.NegativeInfinity));

    /// <summary>Turns scores into the softmax's numerators.</summary>
    private static (float Greatest, float Sum) Softmax(float* row, int keyEnd)
    {
        var most = TFloats.Load(row);
        for (var key = TFloats.Count; key < keyEnd; key += TFloats.Count)
            most = TFloats.Max(most, TFloats.Load(row + key));
        var greatest = most.Greatest();
        var sums = default(TFloats);
        for (var key = 0; key < keyEnd; key += TFloats.Count)
        {
            var weights = VectorMath.ExpOfNonPositive(TFloats.Load(row + key) - TFloats.Create(greatest));
            sums += weights;
            weights.Store(row + key);
        }
        return (greatest, LaneSums.Sum(sums));
    }

    /// <summary>Rows of weights [queries, keys] times a matrix [d, keys], into [count, d].</summary>
    private static void Mix(AttentionShape shape, float* weights, float* matrix, int keyEnd, float* result, int count)
    {
        var (width, padded) = (shape.HeadWidth, shape.PaddedLength);
        for (var c = 0; c < width; c += 2)
        {
            // The rotary embedding turns pairs of features, so d is even.
            var m0 = matrix + (long)c * padded;
            var m1 = m0 + padded;
            var (a0, a1, a2, a3) = (default(TFloats), default(TFloats), default(TFloats), default(TFloats));
            var (b0, b1, b2, b3) = (a0, a1, a2, a3);
            for (var key = 0; key < keyEnd; key += TFloats.Count)
            {
                var (v0, v1) = (TFloats.Load(m0 + key), TFloats.Load(m1 + key));
                var w = TFloats.Load(weights + key);
                a0 = TFloats.MultiplyAdd(w, v0, a0);
                b0 = TFloats.MultiplyAdd(w, v1, b0);
                w = TFloats.Load(weights + padded + key);
                a1 = TFloats.MultiplyAdd(w, v0, a1);
                b1 = TFloats.MultiplyAdd(w, v1, b1);
                w = TFloats.Load(weights + 2 * (long)padded + key);
                a2 = TFloats.MultiplyAdd(w, v0, a2);
                b2 = TFloats.MultiplyAdd(w, v1, b2);
                w = TFloats.Load(weights + 3 * (long)padded + key);
                a3 = TFloats.MultiplyAdd(w, v0, a3);
                b3 = TFloats.MultiplyAdd(w, v1, b3);
            }
            var row = result + c;
            (row[0], row[1]) = (LaneSums.Sum(a0), LaneSums.Sum(b0));
            if (count > 1)
                (row[width], row[width + 1]) = (LaneSums.Sum(a1), LaneSums.Sum(b1));
            if (count > 2)
                (row[2 * width], row[2 * width + 1]) = (LaneSums.Sum(a2), LaneSums.Sum(b2));
            if (count > 3)
                (row[3 * width], row[3 * width + 1]) = (LaneSums.Sum(a3), LaneSums.Sum(b3));
        }
    }

    /// <summary>Turns scores into softmax weights, and gives the gradients of the unscaled scores.</summary>
    private static void ScoreGradients(
        AttentionShape shape, AttentionScratch scratch, float* output, float* logSums, int count, int keyEnd)
    {
        var (width, padded) = (shape.HeadWidth, shape.PaddedLength);
        var gradient = scratch.OutputGradient;
        for (var q = 0; q < QueriesAtOnce; q++)
        {
            var weights = scratch.Weights + (long)q * padded;
            var result = scratch.ScoreGradients + (long)q * padded;
            if (q >= count)
            {
                new Span<float>(weights, keyEnd).Clear();
                new Span<float>(result, keyEnd).Clear();
                continue;
            }
            var own = gradient + q * width;
            float mean = 0;
            for (var c = 0; c < width; c++)
                mean += own[c] * output[q * width + c];
            var (logSum, scale, expected) = (TFloats.Create(logSums[q]), TFloats.Create(shape.Scale),
                TFloats.Create(mean));
            for (var key = 0; key < keyEnd; key += TFloats.Count)
            {
                var weight = VectorMath.ExpOfNonPositive(TFloats.Load(weights + key) - logSum);
                var product = default(TFloats);
                for (var c = 0; c < width; c++)
                {
                    product = TFloats.MultiplyAdd(
                        TFloats.Create(own[c]), TFloats.Load(scratch.Values + (long)c * padded + key), product);
                }
                weight.Store(weights + key);
                (weight * (product - expected) * scale).Store(result + key);
            }
        }
    }

    /// <summary>Adds a block of queries' share to the gradients of keys and values.</summary>
    private static void AddKeyGradients(AttentionShape shape, AttentionScratch scratch, int keyEnd)
    {
        var (width, padded) = (shape.HeadWidth, shape.PaddedLength);
        Add(scratch.ScoreGradients, scratch.Query, scratch.KeyGradients);
        Add(scratch.Weights, scratch.OutputGradient, scratch.ValueGradients);

        void Add(float* rows, float* block, float* sums)
        {
            for (var key = 0; key < keyEnd; key += TFloats.Count)
            {
                var (r0, r1, r2, r3) = (TFloats.Load(rows + key), TFloats.Load(rows + padded + key),
                    TFloats.Load(rows + 2 * (long)padded + key), TFloats.Load(rows + 3 * (long)padded + key));
                for (var c = 0; c < width; c++)
                {
                    var at = sums + (long)c * padded + key;
                    var sum = TFloats.MultiplyAdd(r0, TFloats.Create(block[c]), TFloats.Load(at));
                    sum = TFloats.MultiplyAdd(r1, TFloats.Create(block[width + c]), sum);
                    sum = TFloats.MultiplyAdd(r2, TFloats.Create(block[2 * width + c]), sum);
                    sum = TFloats.MultiplyAdd(r3, TFloats.Create(block[3 * width + c]), sum);
                    sum.Store(at);
                }
            }
        }
    }

    private static int RoundUp(int length) => (length + TFloats.Count - 1) / TFloats.Count * TFloats.Count;
}
