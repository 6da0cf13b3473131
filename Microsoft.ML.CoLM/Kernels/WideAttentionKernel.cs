using System.Runtime.CompilerServices;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// As <see cref="AttentionKernel{TFloats}"/>, for heads that are wide enough for matrix products: <see cref="PanelGemm"/>'s, of some
/// queries and all keys up to them at a time.
/// </summary>
/// <typeparam name="TFloats">The vectors to compute with.</typeparam>
internal static unsafe class WideAttentionKernel<TFloats>
    where TFloats : struct, IFloats<TFloats>
{
    // Keys are packed anew for so many queries: more would compute more scores that no query may see.
    private const int QueriesAtOnce = 128;

    /// <inheritdoc cref="AttentionKernel{TFloats}.Forward"/>
    public static void Forward(AttentionShape shape, nint queries, nint keys, nint values, nint output, nint logSums) =>
        ForEachGroup(shape, (group, scratch) =>
        {
            var (ofKeys, ofValues) = (Rows(keys, group * shape.KeyStride, shape), Rows(values, group * shape.KeyStride, shape));
            var shares = stackalloc float[QueriesAtOnce];
            for (var head = 0; head < shape.Queries; head++)
            {
                var offset = group * shape.QueryStride + head * shape.KeyStride;
                var (asked, mixed) = (Rows(queries, offset, shape), Rows(output, offset, shape));
                var sums = (float*)logSums + ((long)group * shape.Queries + head) * shape.Length;
                for (var first = 0; first < shape.Length; first += QueriesAtOnce)
                {
                    var count = Math.Min(QueriesAtOnce, shape.Length - first);
                    var end = first + count;
                    PanelGemm.Multiply<TFloats>(asked.FromRow(first), ofKeys.Transposed(), scratch.Weights, count, end,
                        shape.HeadWidth, adds: false);
                    for (var q = 0; q < count; q++)
                    {
                        var (greatest, sum) = Softmax(Row(scratch.Weights, q), first + q + 1, end, shape.Scale);
                        sums[first + q] = greatest + MathF.Log(sum);
                        shares[q] = 1 / sum;
                    }
                    PanelGemm.Multiply<TFloats>(scratch.Weights, ofValues, mixed.FromRow(first), count, shape.HeadWidth, end,
                        adds: false);
                    for (var q = 0; q < count; q++)
                        Scale(Row(mixed, first + q), shape.HeadWidth, shares[q]);
                }
            }
        });

    /// <inheritdoc cref="AttentionKernel{TFloats}.Backward"/>
    public static void Backward(
        AttentionShape shape, nint queries, nint keys, nint values, nint output, nint logSums, nint outputGradient,
        nint queryGradient, nint keyGradient, nint valueGradient) =>
        ForEachGroup(shape, (group, scratch) =>
        {
            var (ofKeys, ofValues) = (Rows(keys, group * shape.KeyStride, shape), Rows(values, group * shape.KeyStride, shape));
            var toKeys = Rows(keyGradient, group * shape.KeyStride, shape);
            var toValues = Rows(valueGradient, group * shape.KeyStride, shape);
            for (var head = 0; head < shape.Queries; head++)
            {
                var offset = group * shape.QueryStride + head * shape.KeyStride;
                var (asked, mixed) = (Rows(queries, offset, shape), Rows(output, offset, shape));
                var (given, toQueries) = (Rows(outputGradient, offset, shape), Rows(queryGradient, offset, shape));
                var sums = (float*)logSums + ((long)group * shape.Queries + head) * shape.Length;
                // The last queries first: they read all keys, whose gradients they begin.
                for (var first = (shape.Length - 1) / QueriesAtOnce * QueriesAtOnce; first >= 0; first -= QueriesAtOnce)
                {
                    var count = Math.Min(QueriesAtOnce, shape.Length - first);
                    var end = first + count;
                    var (own, ownGiven) = (asked.FromRow(first), given.FromRow(first));
                    PanelGemm.Multiply<TFloats>(
                        own, ofKeys.Transposed(), scratch.Weights, count, end, shape.HeadWidth, adds: false);
                    PanelGemm.Multiply<TFloats>(
                        ownGiven, ofValues.Transposed(), scratch.Gradients, count, end, shape.HeadWidth, adds: false);
                    for (var q = 0; q < count; q++)
                    {
                        var mean = Product(Row(mixed, first + q), Row(given, first + q), shape.HeadWidth);
                        ScoreGradients(Row(scratch.Weights, q), Row(scratch.Gradients, q), first + q + 1, end,
                            shape.Scale, sums[first + q], mean);
                    }
                    PanelGemm.Multiply<TFloats>(
                        scratch.Gradients, ofKeys, toQueries.FromRow(first), count, shape.HeadWidth, end, adds: false);
                    if (keyGradient == 0)
                        continue;
                    var adds = head > 0 || end < shape.Length;
                    PanelGemm.Multiply<TFloats>(
                        scratch.Gradients.Transposed(), own, toKeys, end, shape.HeadWidth, count, adds);
                    PanelGemm.Multiply<TFloats>(
                        scratch.Weights.Transposed(), ownGiven, toValues, end, shape.HeadWidth, count, adds);
                }
            }
        });

    private static void ForEachGroup(AttentionShape shape, Action<int, Scratch> work) =>
        ParallelWork.For(shape.Groups, AttentionKernel<TFloats>.Threads(shape), () => new Scratch(shape), work);

    private static MatrixView Rows(nint memory, long offset, AttentionShape shape) =>
        new(memory + (nint)offset * sizeof(float), shape.HeadWidth, 1);

    private static float* Row(MatrixView matrix, int row) => (float*)matrix.FromRow(row).Address;

    /// <summary>Turns scores into the softmax's numerators; those of later keys are zero.</summary>
    [MethodImpl(KernelMethod.Compiled)]
    private static (float Greatest, float Sum) Softmax(float* row, int count, int end, float scale)
    {
        var (lanes, least) = (TFloats.Create(float.NegativeInfinity), TFloats.Create(float.NegativeInfinity));
        for (var key = 0; key < count; key += TFloats.Count)
            lanes = TFloats.Max(lanes, TFloats.Head(count - key, TFloats.Load(row + key), least));
        var greatest = lanes.Greatest() * scale;
        var (scales, shift, sums) = (TFloats.Create(scale), TFloats.Create(greatest), default(TFloats));
        for (var key = 0; key < count; key += TFloats.Count)
        {
            var weights = TFloats.Head(
                count - key, VectorMath.ExpOfNonPositive(TFloats.Load(row + key) * scales - shift), default);
            sums += weights;
            weights.Store(row + key);
        }
        Clear(row, count, end);
        return (greatest, LaneSums.Sum(sums));
    }

    /// <summary>Turns scores into weights, and the gradients of weights into those of the unscaled scores.</summary>
    [MethodImpl(KernelMethod.Compiled)]
    private static void ScoreGradients(float* row, float* gradients, int count, int end, float scale, float logSum, float mean)
    {
        var (scales, shift, expected) = (TFloats.Create(scale), TFloats.Create(logSum), TFloats.Create(mean));
        for (var key = 0; key < count; key += TFloats.Count)
        {
            var weights = TFloats.Head(
                count - key, VectorMath.ExpOfNonPositive(TFloats.Load(row + key) * scales - shift), default);
            var own = TFloats.Head(count - key, TFloats.Load(gradients + key), default);
            weights.Store(row + key);
            (weights * (own - expected) * scales).Store(gradients + key);
        }
        Clear(row, count, end);
        Clear(gradients, count, end);
    }

    // Vectors have cleared what follows in the last of them.
    private static void Clear(float* row, int count, int end)
    {
        var first = (count + TFloats.Count - 1) / TFloats.Count * TFloats.Count;
        if (first < end)
            new Span<float>(row + first, end - first).Clear();
    }

    private static void Scale(float* row, int width, float factor)
    {
        for (var c = 0; c < width; c++)
            row[c] *= factor;
    }

    private static float Product(float* a, float* b, int width)
    {
        var (sums, c) = (default(TFloats), 0);
        for (; c + TFloats.Count <= width; c += TFloats.Count)
            sums = TFloats.MultiplyAdd(TFloats.Load(a + c), TFloats.Load(b + c), sums);
        var sum = LaneSums.Sum(sums);
        for (; c < width; c++)
            sum += a[c] * b[c];
        return sum;
    }

    /// <summary>What a thread works with.</summary>
    private sealed class Scratch : IDisposable
    {
        private readonly nint _memory;

        public Scratch(AttentionShape shape)
        {
            // Rows end with the vectors that reach beyond the last key.
            var stride = (shape.Length + TFloats.Count - 1) / TFloats.Count * TFloats.Count;
            var floats = (long)QueriesAtOnce * stride;
            _memory = AlignedMemory.Allocate(2 * floats);
            (Weights, Gradients) = (new(_memory, stride, 1), new(_memory + (nint)floats * sizeof(float), stride, 1));
        }

        /// <summary>[queries, keys].</summary>
        public MatrixView Weights { get; }

        /// <summary>[queries, keys].</summary>
        public MatrixView Gradients { get; }

        public void Dispose() => AlignedMemory.Free(_memory);
    }
}
