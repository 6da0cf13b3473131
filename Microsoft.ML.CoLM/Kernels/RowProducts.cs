using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Products of a few rows with a weight matrix, y = x · Wᵀ, at the speed at which memory gives the weights: what decoding
/// spends its time on, and where libtorch reaches a third of it.
/// </summary>
/// <remarks>
/// A weight is read once for all rows. An output is one sum over the inputs in one order, so it is the same to the bit
/// whatever rows are computed beside it.
/// </remarks>
internal static unsafe class RowProducts
{
    /// <summary>Outputs whose weights are read side by side.</summary>
    public const int OutputsAtOnce = 4;

    private const int Lanes = 16;


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
        var output = first;
        for (; output + OutputsAtOnce <= end; output += OutputsAtOnce)
        {
            var row = 0;
            for (; row + 4 <= rows; row += 4)
                FourByFour<TWeight>(x + row * xStride, xStride, weight, width, output, y + row * yStride, yStride, adds);
            for (; row < rows; row++)
                FourByOne<TWeight>(x + row * xStride, weight, width, output, y + row * yStride, adds);
        }
        for (; output < end; output++)
        {
            for (var row = 0; row < rows; row++)
                OneByOne<TWeight>(x + row * xStride, weight, width, output, y + row * yStride, adds);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByFour<TWeight>(
        float* x, long xStride, void* weight, int width, int output, float* y, long yStride, bool adds)
        where TWeight : struct, IElement
    {
        float* x0 = x, x1 = x + xStride, x2 = x + 2 * xStride, x3 = x + 3 * xStride;
        var w0 = (long)output * width;
        var (w1, w2, w3) = (w0 + width, w0 + 2L * width, w0 + 3L * width);
        Vector512<float> a00 = default, a01 = default, a02 = default, a03 = default;
        Vector512<float> a10 = default, a11 = default, a12 = default, a13 = default;
        Vector512<float> a20 = default, a21 = default, a22 = default, a23 = default;
        Vector512<float> a30 = default, a31 = default, a32 = default, a33 = default;
        var i = 0;
        for (; i + Lanes <= width; i += Lanes)
        {
            var (v0, v1) = (TWeight.Load(weight, w0 + i), TWeight.Load(weight, w1 + i));
            var (v2, v3) = (TWeight.Load(weight, w2 + i), TWeight.Load(weight, w3 + i));
            var row = Vector512.Load(x0 + i);
            a00 = Vector512.FusedMultiplyAdd(v0, row, a00);
            a01 = Vector512.FusedMultiplyAdd(v1, row, a01);
            a02 = Vector512.FusedMultiplyAdd(v2, row, a02);
            a03 = Vector512.FusedMultiplyAdd(v3, row, a03);
            row = Vector512.Load(x1 + i);
            a10 = Vector512.FusedMultiplyAdd(v0, row, a10);
            a11 = Vector512.FusedMultiplyAdd(v1, row, a11);
            a12 = Vector512.FusedMultiplyAdd(v2, row, a12);
            a13 = Vector512.FusedMultiplyAdd(v3, row, a13);
            row = Vector512.Load(x2 + i);
            a20 = Vector512.FusedMultiplyAdd(v0, row, a20);
            a21 = Vector512.FusedMultiplyAdd(v1, row, a21);
            a22 = Vector512.FusedMultiplyAdd(v2, row, a22);
            a23 = Vector512.FusedMultiplyAdd(v3, row, a23);
            row = Vector512.Load(x3 + i);
            a30 = Vector512.FusedMultiplyAdd(v0, row, a30);
            a31 = Vector512.FusedMultiplyAdd(v1, row, a31);
            a32 = Vector512.FusedMultiplyAdd(v2, row, a32);
            a33 = Vector512.FusedMultiplyAdd(v3, row, a33);
        }
        FinishFour<TWeight>(a00, a01, a02, a03, x0, weight, w0, width, i, y + output, adds);
        FinishFour<TWeight>(a10, a11, a12, a13, x1, weight, w0, width, i, y + yStride + output, adds);
        FinishFour<TWeight>(a20, a21, a22, a23, x2, weight, w0, width, i, y + 2 * yStride + output, adds);
        FinishFour<TWeight>(a30, a31, a32, a33, x3, weight, w0, width, i, y + 3 * yStride + output, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByOne<TWeight>(float* x, void* weight, int width, int output, float* y, bool adds)
        where TWeight : struct, IElement
    {
        var w0 = (long)output * width;
        var (w1, w2, w3) = (w0 + width, w0 + 2L * width, w0 + 3L * width);
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default;
        var i = 0;
        for (; i + Lanes <= width; i += Lanes)
        {
            var row = Vector512.Load(x + i);
            a0 = Vector512.FusedMultiplyAdd(TWeight.Load(weight, w0 + i), row, a0);
            a1 = Vector512.FusedMultiplyAdd(TWeight.Load(weight, w1 + i), row, a1);
            a2 = Vector512.FusedMultiplyAdd(TWeight.Load(weight, w2 + i), row, a2);
            a3 = Vector512.FusedMultiplyAdd(TWeight.Load(weight, w3 + i), row, a3);
        }
        FinishFour<TWeight>(a0, a1, a2, a3, x, weight, w0, width, i, y + output, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneByOne<TWeight>(float* x, void* weight, int width, int output, float* y, bool adds)
        where TWeight : struct, IElement
    {
        var w = (long)output * width;
        Vector512<float> a = default;
        var i = 0;
        for (; i + Lanes <= width; i += Lanes)
            a = Vector512.FusedMultiplyAdd(TWeight.Load(weight, w + i), Vector512.Load(x + i), a);
        var sum = Sum(Fold(a));
        for (; i < width; i++)
            sum = MathF.FusedMultiplyAdd(TWeight.Get(weight, w + i), x[i], sum);
        y[output] = adds ? y[output] + sum : sum;
    }

    /// <summary>Adds up four sums' lanes, and the inputs behind the last whole vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FinishFour<TWeight>(
        Vector512<float> a0, Vector512<float> a1, Vector512<float> a2, Vector512<float> a3, float* x, void* weight,
        long w, int width, int done, float* y, bool adds)
        where TWeight : struct, IElement
    {
        var sums = Sums(Fold(a0), Fold(a1), Fold(a2), Fold(a3));
        for (var i = done; i < width; i++)
        {
            var column = Vector128.Create(TWeight.Get(weight, w + i), TWeight.Get(weight, w + width + i),
                TWeight.Get(weight, w + 2L * width + i), TWeight.Get(weight, w + 3L * width + i));
            sums = Vector128.FusedMultiplyAdd(column, Vector128.Create(x[i]), sums);
        }
        (adds ? Vector128.Load(y) + sums : sums).Store(y);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Fold(Vector512<float> sums)
    {
        var half = sums.GetLower() + sums.GetUpper();
        return half.GetLower() + half.GetUpper();
    }

    // The sum of each vector's lanes, (0 + 2) + (1 + 3) whatever the processor.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Sums(
        Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        if (!Sse.IsSupported)
            return Vector128.Create(Sum(a), Sum(b), Sum(c), Sum(d));
        var ab = Sse.UnpackLow(a, b) + Sse.UnpackHigh(a, b);
        var cd = Sse.UnpackLow(c, d) + Sse.UnpackHigh(c, d);
        return Sse.MoveLowToHigh(ab, cd) + Sse.MoveHighToLow(cd, ab);
    }

    private static float Sum(Vector128<float> lanes) => (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}
