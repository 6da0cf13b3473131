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
internal static unsafe class Gemv
{
    /// <summary>Rows that share the reading of a weight.</summary>
    public const int RowsAtOnce = 4;

    // Four sums of an output: one would wait for its own last addition.
    private const int SumsAtOnce = 4;

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
        switch (VectorWidth.Floats)
        {
            case 16: Multiply<TWeight, Floats16>(x, xStride, rows, weight, width, first, end, y, yStride, adds); break;
            case 8: Multiply<TWeight, Floats8>(x, xStride, rows, weight, width, first, end, y, yStride, adds); break;
            default: Multiply<TWeight, Floats4>(x, xStride, rows, weight, width, first, end, y, yStride, adds); break;
        }
    }

    /// <inheritdoc cref="Multiply{TWeight}"/>
    /// <typeparam name="TWeight">The weights' type.</typeparam>
    /// <typeparam name="TFloats">The vectors to compute with.</typeparam>
    public static void Multiply<TWeight, TFloats>(
        float* x, long xStride, int rows, void* weight, int width, int first, int end, float* y, long yStride, bool adds)
        where TWeight : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var isNarrow = width >= TFloats.Count && width <= NarrowWidth;
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
            for (; TFloats.HasManyRegisters && row + RowsAtOnce <= rows; row += RowsAtOnce)
                Four(row, block, blockEnd);
            for (; row + 2 <= rows; row += 2)
                Two(row, block, blockEnd);
            for (; row < rows; row++)
                One(row, block, blockEnd);
            block = blockEnd;
        }

        void One(int row, int first, int end)
        {
            if (isNarrow)
                NarrowGemv.OneRow<TWeight, TFloats>(x + row * xStride, weight, width, first, end, y + row * yStride, adds);
            else
                OneRow<TWeight, TFloats>(x + row * xStride, weight, width, first, end, y + row * yStride, adds);
        }

        void Two(int row, int first, int end)
        {
            float* from = x + row * xStride, to = y + row * yStride;
            if (isNarrow)
                NarrowGemv.TwoRows<TWeight, TFloats>(from, xStride, weight, width, first, end, to, yStride, adds);
            else
                TwoRows<TWeight, TFloats>(from, xStride, weight, width, first, end, to, yStride, adds);
        }

        void Four(int row, int first, int end)
        {
            float* from = x + row * xStride, to = y + row * yStride;
            if (isNarrow)
                NarrowGemv.FourRows<TWeight, TFloats>(from, xStride, weight, width, first, end, to, yStride, adds);
            else
                FourRows<TWeight, TFloats>(from, xStride, weight, width, first, end, to, yStride, adds);
        }
    }

    [MethodImpl(KernelMethod.Compiled)]
    private static void OneRow<TWeight, TFloats>(float* x, void* weight, int width, int first, int end, float* y, bool adds)
        where TWeight : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var rest = stackalloc float[TFloats.Count];
        var hasRest = LoadRest<TFloats>(x, width, rest);
        var w = (long)first * width;
        for (var output = first; output < end; output++, w += width)
        {
            TFloats a = default, b = default, c = default, d = default;
            var i = 0;
            for (; i + SumsAtOnce * TFloats.Count <= width; i += SumsAtOnce * TFloats.Count)
            {
                Prefetch<TWeight, TFloats>(weight, w + i);
                a = TFloats.MultiplyAdd(TWeight.Load<TFloats>(weight, w + i), TFloats.Load(x + i), a);
                b = TFloats.MultiplyAdd(
                    TWeight.Load<TFloats>(weight, w + i + TFloats.Count), TFloats.Load(x + i + TFloats.Count), b);
                c = TFloats.MultiplyAdd(
                    TWeight.Load<TFloats>(weight, w + i + 2 * TFloats.Count), TFloats.Load(x + i + 2 * TFloats.Count), c);
                d = TFloats.MultiplyAdd(
                    TWeight.Load<TFloats>(weight, w + i + 3 * TFloats.Count), TFloats.Load(x + i + 3 * TFloats.Count), d);
            }
            for (; i + TFloats.Count <= width; i += TFloats.Count)
                a = TFloats.MultiplyAdd(TWeight.Load<TFloats>(weight, w + i), TFloats.Load(x + i), a);
            if (hasRest)
                b = TFloats.MultiplyAdd(TWeight.Load<TFloats>(weight, w + width - TFloats.Count), TFloats.Load(rest), b);
            var sum = LaneSums.Sum((a + b) + (c + d));
            for (i = hasRest ? width : i; i < width; i++)
                sum = float.MultiplyAddEstimate(TWeight.Get(weight, w + i), x[i], sum);
            y[output] = adds ? y[output] + sum : sum;
        }
    }

    [MethodImpl(KernelMethod.Compiled)]
    private static void TwoRows<TWeight, TFloats>(
        float* x0, long xStride, void* weight, int width, int first, int end, float* y, long yStride, bool adds)
        where TWeight : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var x1 = x0 + xStride;
        var rest = stackalloc float[2 * TFloats.Count];
        var hasRest = LoadRest<TFloats>(x0, width, rest) & LoadRest<TFloats>(x1, width, rest + TFloats.Count);
        var w = (long)first * width;
        for (var output = first; output < end; output++, w += width)
        {
            TFloats a0 = default, b0 = default, c0 = default, d0 = default;
            TFloats a1 = default, b1 = default, c1 = default, d1 = default;
            var i = 0;
            for (; i + SumsAtOnce * TFloats.Count <= width; i += SumsAtOnce * TFloats.Count)
            {
                Prefetch<TWeight, TFloats>(weight, w + i);
                var v = TWeight.Load<TFloats>(weight, w + i);
                a0 = TFloats.MultiplyAdd(v, TFloats.Load(x0 + i), a0);
                a1 = TFloats.MultiplyAdd(v, TFloats.Load(x1 + i), a1);
                v = TWeight.Load<TFloats>(weight, w + i + TFloats.Count);
                b0 = TFloats.MultiplyAdd(v, TFloats.Load(x0 + i + TFloats.Count), b0);
                b1 = TFloats.MultiplyAdd(v, TFloats.Load(x1 + i + TFloats.Count), b1);
                v = TWeight.Load<TFloats>(weight, w + i + 2 * TFloats.Count);
                c0 = TFloats.MultiplyAdd(v, TFloats.Load(x0 + i + 2 * TFloats.Count), c0);
                c1 = TFloats.MultiplyAdd(v, TFloats.Load(x1 + i + 2 * TFloats.Count), c1);
                v = TWeight.Load<TFloats>(weight, w + i + 3 * TFloats.Count);
                d0 = TFloats.MultiplyAdd(v, TFloats.Load(x0 + i + 3 * TFloats.Count), d0);
                d1 = TFloats.MultiplyAdd(v, TFloats.Load(x1 + i + 3 * TFloats.Count), d1);
            }
            for (; i + TFloats.Count <= width; i += TFloats.Count)
            {
                var v = TWeight.Load<TFloats>(weight, w + i);
                a0 = TFloats.MultiplyAdd(v, TFloats.Load(x0 + i), a0);
                a1 = TFloats.MultiplyAdd(v, TFloats.Load(x1 + i), a1);
            }
            if (hasRest)
            {
                var v = TWeight.Load<TFloats>(weight, w + width - TFloats.Count);
                b0 = TFloats.MultiplyAdd(v, TFloats.Load(rest), b0);
                b1 = TFloats.MultiplyAdd(v, TFloats.Load(rest + TFloats.Count), b1);
            }
            var (sum0, sum1) = (LaneSums.Sum((a0 + b0) + (c0 + d0)), LaneSums.Sum((a1 + b1) + (c1 + d1)));
            for (i = hasRest ? width : i; i < width; i++)
            {
                var v = TWeight.Get(weight, w + i);
                (sum0, sum1) = (float.MultiplyAddEstimate(v, x0[i], sum0), float.MultiplyAddEstimate(v, x1[i], sum1));
            }
            var to = y + output;
            to[0] = adds ? to[0] + sum0 : sum0;
            to[yStride] = adds ? to[yStride] + sum1 : sum1;
        }
    }

    [MethodImpl(KernelMethod.Compiled)]
    private static void FourRows<TWeight, TFloats>(
        float* x0, long xStride, void* weight, int width, int first, int end, float* y, long yStride, bool adds)
        where TWeight : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        float* x1 = x0 + xStride, x2 = x1 + xStride, x3 = x2 + xStride;
        var rest = stackalloc float[RowsAtOnce * TFloats.Count];
        var hasRest = false;
        for (var row = 0; row < RowsAtOnce; row++)
            hasRest = LoadRest<TFloats>(x0 + row * xStride, width, rest + row * TFloats.Count);
        var w = (long)first * width;
        for (var output = first; output < end; output++, w += width)
        {
            TFloats a0 = default, b0 = default, c0 = default, d0 = default;
            TFloats a1 = default, b1 = default, c1 = default, d1 = default;
            TFloats a2 = default, b2 = default, c2 = default, d2 = default;
            TFloats a3 = default, b3 = default, c3 = default, d3 = default;
            var i = 0;
            for (; i + SumsAtOnce * TFloats.Count <= width; i += SumsAtOnce * TFloats.Count)
            {
                Prefetch<TWeight, TFloats>(weight, w + i);
                var v = TWeight.Load<TFloats>(weight, w + i);
                a0 = TFloats.MultiplyAdd(v, TFloats.Load(x0 + i), a0);
                a1 = TFloats.MultiplyAdd(v, TFloats.Load(x1 + i), a1);
                a2 = TFloats.MultiplyAdd(v, TFloats.Load(x2 + i), a2);
                a3 = TFloats.MultiplyAdd(v, TFloats.Load(x3 + i), a3);
                v = TWeight.Load<TFloats>(weight, w + i + TFloats.Count);
                b0 = TFloats.MultiplyAdd(v, TFloats.Load(x0 + i + TFloats.Count), b0);
                b1 = TFloats.MultiplyAdd(v, TFloats.Load(x1 + i + TFloats.Count), b1);
                b2 = TFloats.MultiplyAdd(v, TFloats.Load(x2 + i + TFloats.Count), b2);
                b3 = TFloats.MultiplyAdd(v, TFloats.Load(x3 + i + TFloats.Count), b3);
                v = TWeight.Load<TFloats>(weight, w + i + 2 * TFloats.Count);
                c0 = TFloats.MultiplyAdd(v, TFloats.Load(x0 + i + 2 * TFloats.Count), c0);
                c1 = TFloats.MultiplyAdd(v, TFloats.Load(x1 + i + 2 * TFloats.Count), c1);
                c2 = TFloats.MultiplyAdd(v, TFloats.Load(x2 + i + 2 * TFloats.Count), c2);
                c3 = TFloats.MultiplyAdd(v, TFloats.Load(x3 + i + 2 * TFloats.Count), c3);
                v = TWeight.Load<TFloats>(weight, w + i + 3 * TFloats.Count);
                d0 = TFloats.MultiplyAdd(v, TFloats.Load(x0 + i + 3 * TFloats.Count), d0);
                d1 = TFloats.MultiplyAdd(v, TFloats.Load(x1 + i + 3 * TFloats.Count), d1);
                d2 = TFloats.MultiplyAdd(v, TFloats.Load(x2 + i + 3 * TFloats.Count), d2);
                d3 = TFloats.MultiplyAdd(v, TFloats.Load(x3 + i + 3 * TFloats.Count), d3);
            }
            for (; i + TFloats.Count <= width; i += TFloats.Count)
            {
                var v = TWeight.Load<TFloats>(weight, w + i);
                a0 = TFloats.MultiplyAdd(v, TFloats.Load(x0 + i), a0);
                a1 = TFloats.MultiplyAdd(v, TFloats.Load(x1 + i), a1);
                a2 = TFloats.MultiplyAdd(v, TFloats.Load(x2 + i), a2);
                a3 = TFloats.MultiplyAdd(v, TFloats.Load(x3 + i), a3);
            }
            if (hasRest)
            {
                var v = TWeight.Load<TFloats>(weight, w + width - TFloats.Count);
                b0 = TFloats.MultiplyAdd(v, TFloats.Load(rest), b0);
                b1 = TFloats.MultiplyAdd(v, TFloats.Load(rest + TFloats.Count), b1);
                b2 = TFloats.MultiplyAdd(v, TFloats.Load(rest + 2 * TFloats.Count), b2);
                b3 = TFloats.MultiplyAdd(v, TFloats.Load(rest + 3 * TFloats.Count), b3);
            }
            var sums = LaneSums.Sums(
                (a0 + b0) + (c0 + d0), (a1 + b1) + (c1 + d1), (a2 + b2) + (c2 + d2), (a3 + b3) + (c3 + d3));
            for (i = hasRest ? width : i; i < width; i++)
            {
                sums = Vector128.MultiplyAddEstimate(Vector128.Create(TWeight.Get(weight, w + i)),
                    Vector128.Create(x0[i], x1[i], x2[i], x3[i]), sums);
            }
            var to = y + output;
            for (var row = 0; row < RowsAtOnce; row++, to += yStride)
                *to = adds ? *to + sums[row] : sums[row];
        }
    }

    /// <summary>
    /// The last vector's inputs, with zeros for those that whole vectors cover: what is left is one vector more.
    /// </summary>
    /// <returns>
    /// Whether anything is left; where there are fewer inputs in all than a vector has, they are taken one by one.
    /// </returns>
    public static bool LoadRest<TFloats>(float* x, int width, float* rest)
        where TFloats : struct, IFloats<TFloats>
    {
        var left = width % TFloats.Count;
        if (left == 0 || width < TFloats.Count)
            return false;
        TFloats.Head(TFloats.Count - left, default, TFloats.Load(x + width - TFloats.Count)).Store(rest);
        return true;
    }

    // The cache lines of a step.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch<TWeight, TFloats>(void* weight, long index)
        where TWeight : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        if (!Sse.IsSupported)
            return;
        var ahead = (byte*)weight + index * TWeight.Size + Ahead;
        Sse.Prefetch0(ahead);
        if (SumsAtOnce * TFloats.Count * TWeight.Size > 64)
            Sse.Prefetch0(ahead + 64);
        if (SumsAtOnce * TFloats.Count * TWeight.Size > 128)
        {
            Sse.Prefetch0(ahead + 128);
            Sse.Prefetch0(ahead + 192);
        }
    }
}
