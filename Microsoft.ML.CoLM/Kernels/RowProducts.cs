using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Products of a few rows with a weight matrix, y = x · Wᵀ, at the speed at which memory gives the weights: what decoding
/// spends its time on, and where libtorch reaches a third of it.
/// </summary>
/// <remarks>
/// The weights are read from the first to the last, once for all rows. An output is one sum over the inputs in one order,
/// so it is the same to the bit whatever rows are computed beside it.
/// </remarks>
internal static unsafe class RowProducts
{
    /// <summary>Rows that share the reading of a weight.</summary>
    public const int RowsAtOnce = 4;

    private const int Lanes = 16;

    // Four sums of an output: one would wait for its own last addition.
    private const int Step = 4 * Lanes;

    // So many bytes ahead of the reading, the processor is asked for weights.
    private const int Ahead = 4096;

    // Up to here, adding up an output's lanes takes about as long as its products. Wider rows are mostly those of models that
    // memory has to deliver, and asking it ahead of time counts for more.
    private const int NarrowWidth = 176;

    // Weights of a block of outputs: half of a small first-level cache.
    private const int BlockBytes = 1 << 14;

    /// <summary>Computes outputs <paramref name="first"/> to <paramref name="end"/> of every row.</summary>
    /// <param name="x">[rows, width], float32, <paramref name="xStride"/> apart.</param>
    /// <param name="xStride">Elements from a row of x to the next.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="weight">[outputs, width], contiguous.</param>
    /// <param name="width">Inputs of an output.</param>
    /// <param name="first">The first output.</param>
    /// <param name="end">The output after the last.</param>
    /// <param name="y">[rows, outputs], float32, <paramref name="yStride"/> apart.</param>
    /// <param name="yStride">Elements from a row of y to the next.</param>
    /// <param name="adds">Whether to add to y, or to replace it.</param>
    /// <typeparam name="TWeight">The weights' type.</typeparam>
    public static void Multiply<TWeight>(
        float* x, long xStride, int rows, void* weight, int width, int first, int end, float* y, long yStride, bool adds)
        where TWeight : struct, IElement
    {
        var isNarrow = width is >= Lanes and <= NarrowWidth;
        if (rows == 1)
        {
            One(row: 0, first, end);
            return;
        }
        // A block of outputs whose weights stay in the first-level cache while all rows use them.
        for (var block = first; block < end;)
        {
            var blockEnd = Math.Min(end, block + Math.Max(1, BlockBytes / (width * TWeight.Size)));
            var row = 0;
            for (; row + RowsAtOnce <= rows; row += RowsAtOnce)
                Four(row, block, blockEnd);
            for (; isNarrow && row + 2 <= rows; row += 2)
            {
                NarrowProducts.TwoRows<TWeight>(x + row * xStride, xStride, weight, width, block, blockEnd, y + row * yStride,
                    yStride, adds);
            }
            for (; row < rows; row++)
                One(row, block, blockEnd);
            block = blockEnd;
        }

        void One(int row, int first, int end)
        {
            if (isNarrow)
                NarrowProducts.OneRow<TWeight>(x + row * xStride, weight, width, first, end, y + row * yStride, adds);
            else
                OneRow<TWeight>(x + row * xStride, weight, width, first, end, y + row * yStride, adds);
        }

        void Four(int row, int first, int end)
        {
            float* from = x + row * xStride, to = y + row * yStride;
            if (isNarrow)
                NarrowProducts.FourRows<TWeight>(from, xStride, weight, width, first, end, to, yStride, adds);
            else
                FourRows<TWeight>(from, xStride, weight, width, first, end, to, yStride, adds);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneRow<TWeight>(float* x, void* weight, int width, int first, int end, float* y, bool adds)
        where TWeight : struct, IElement
    {
        var rest = stackalloc float[Lanes];
        var hasRest = LoadRest(x, width, rest);
        var w = (long)first * width;
        for (var output = first; output < end; output++, w += width)
        {
            Vector512<float> a = default, b = default, c = default, d = default;
            var i = 0;
            for (; i + Step <= width; i += Step)
            {
                Prefetch<TWeight>(weight, w + i);
                a = Vector512.FusedMultiplyAdd(TWeight.Load(weight, w + i), Vector512.Load(x + i), a);
                b = Vector512.FusedMultiplyAdd(TWeight.Load(weight, w + i + Lanes), Vector512.Load(x + i + Lanes), b);
                c = Vector512.FusedMultiplyAdd(TWeight.Load(weight, w + i + 2 * Lanes), Vector512.Load(x + i + 2 * Lanes), c);
                d = Vector512.FusedMultiplyAdd(TWeight.Load(weight, w + i + 3 * Lanes), Vector512.Load(x + i + 3 * Lanes), d);
            }
            for (; i + Lanes <= width; i += Lanes)
                a = Vector512.FusedMultiplyAdd(TWeight.Load(weight, w + i), Vector512.Load(x + i), a);
            if (hasRest)
                b = Vector512.FusedMultiplyAdd(TWeight.Load(weight, w + width - Lanes), Vector512.Load(rest), b);
            var sum = LaneSums.Sum((a + b) + (c + d));
            for (i = hasRest ? width : i; i < width; i++)
                sum = MathF.FusedMultiplyAdd(TWeight.Get(weight, w + i), x[i], sum);
            y[output] = adds ? y[output] + sum : sum;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourRows<TWeight>(
        float* x0, long xStride, void* weight, int width, int first, int end, float* y, long yStride, bool adds)
        where TWeight : struct, IElement
    {
        float* x1 = x0 + xStride, x2 = x1 + xStride, x3 = x2 + xStride;
        var rest = stackalloc float[RowsAtOnce * Lanes];
        var hasRest = false;
        for (var row = 0; row < RowsAtOnce; row++)
            hasRest = LoadRest(x0 + row * xStride, width, rest + row * Lanes);
        var w = (long)first * width;
        for (var output = first; output < end; output++, w += width)
        {
            Vector512<float> a0 = default, b0 = default, c0 = default, d0 = default;
            Vector512<float> a1 = default, b1 = default, c1 = default, d1 = default;
            Vector512<float> a2 = default, b2 = default, c2 = default, d2 = default;
            Vector512<float> a3 = default, b3 = default, c3 = default, d3 = default;
            var i = 0;
            for (; i + Step <= width; i += Step)
            {
                Prefetch<TWeight>(weight, w + i);
                var v = TWeight.Load(weight, w + i);
                a0 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x0 + i), a0);
                a1 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x1 + i), a1);
                a2 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x2 + i), a2);
                a3 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x3 + i), a3);
                v = TWeight.Load(weight, w + i + Lanes);
                b0 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x0 + i + Lanes), b0);
                b1 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x1 + i + Lanes), b1);
                b2 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x2 + i + Lanes), b2);
                b3 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x3 + i + Lanes), b3);
                v = TWeight.Load(weight, w + i + 2 * Lanes);
                c0 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x0 + i + 2 * Lanes), c0);
                c1 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x1 + i + 2 * Lanes), c1);
                c2 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x2 + i + 2 * Lanes), c2);
                c3 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x3 + i + 2 * Lanes), c3);
                v = TWeight.Load(weight, w + i + 3 * Lanes);
                d0 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x0 + i + 3 * Lanes), d0);
                d1 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x1 + i + 3 * Lanes), d1);
                d2 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x2 + i + 3 * Lanes), d2);
                d3 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x3 + i + 3 * Lanes), d3);
            }
            for (; i + Lanes <= width; i += Lanes)
            {
                var v = TWeight.Load(weight, w + i);
                a0 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x0 + i), a0);
                a1 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x1 + i), a1);
                a2 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x2 + i), a2);
                a3 = Vector512.FusedMultiplyAdd(v, Vector512.Load(x3 + i), a3);
            }
            if (hasRest)
            {
                var v = TWeight.Load(weight, w + width - Lanes);
                b0 = Vector512.FusedMultiplyAdd(v, Vector512.Load(rest), b0);
                b1 = Vector512.FusedMultiplyAdd(v, Vector512.Load(rest + Lanes), b1);
                b2 = Vector512.FusedMultiplyAdd(v, Vector512.Load(rest + 2 * Lanes), b2);
                b3 = Vector512.FusedMultiplyAdd(v, Vector512.Load(rest + 3 * Lanes), b3);
            }
            var sums = LaneSums.Sums(
                (a0 + b0) + (c0 + d0), (a1 + b1) + (c1 + d1), (a2 + b2) + (c2 + d2), (a3 + b3) + (c3 + d3));
            for (i = hasRest ? width : i; i < width; i++)
            {
                sums = Vector128.FusedMultiplyAdd(Vector128.Create(TWeight.Get(weight, w + i)),
                    Vector128.Create(x0[i], x1[i], x2[i], x3[i]), sums);
            }
            var to = y + output;
            for (var row = 0; row < RowsAtOnce; row++, to += yStride)
                *to = adds ? *to + sums[row] : sums[row];
        }
    }

    /// <summary>
    /// The last 16 inputs, with zeros for those that whole vectors cover: what is left is one vector more.
    /// </summary>
    /// <returns>Whether anything is left; where there are fewer than 16 inputs in all, they are taken one by one.</returns>
    public static bool LoadRest(float* x, int width, float* rest)
    {
        var left = width % Lanes;
        if (left == 0 || width < Lanes)
            return false;
        var isLeft = Vector512.GreaterThanOrEqual(Vector512<int>.Indices, Vector512.Create(Lanes - left)).AsSingle();
        Vector512.ConditionalSelect(isLeft, Vector512.Load(x + width - Lanes), Vector512<float>.Zero).Store(rest);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch<TWeight>(void* weight, long index)
        where TWeight : struct, IElement
    {
        if (!Sse.IsSupported)
            return;
        var ahead = (byte*)weight + index * TWeight.Size + Ahead;
        Sse.Prefetch0(ahead);
        Sse.Prefetch0(ahead + 64);
        if (TWeight.Size > sizeof(ushort))
        {
            Sse.Prefetch0(ahead + 128);
            Sse.Prefetch0(ahead + 192);
        }
    }
}
