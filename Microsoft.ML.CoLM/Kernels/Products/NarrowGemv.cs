using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// The products of <see cref="Gemv"/> where outputs have so few inputs that adding up lanes takes about as long as
/// multiplying: four outputs share it, and two or four rows the loading of their weights.
/// </summary>
/// <remarks>An output is one sum over the inputs in one order; there are at least as many inputs as a vector has.</remarks>
internal static unsafe class NarrowGemv
{
    private const int OutputsAtOnce = 4;

    [MethodImpl(KernelMethod.Compiled)]
    public static void OneRow<TWeight, TFloats>(
        float* x, void* weight, int width, int first, int end, float* y, bool adds)
        where TWeight : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var rest = stackalloc float[TFloats.Count];
        Gemv.LoadRest<TFloats>(x, width, rest);
        var w = (long)first * width;
        for (; first + OutputsAtOnce <= end; first += OutputsAtOnce, w += OutputsAtOnce * width)
        {
            TFloats a0 = default, a1 = default, a2 = default, a3 = default;
            var from = x;
            for (var i = 0; i < width; i += TFloats.Count)
            {
                if (i + TFloats.Count > width)
                {
                    i = width - TFloats.Count;
                    from = rest - i;
                }
                var v = TFloats.Load(from + i);
                a0 = TFloats.MultiplyAdd(TWeight.Load<TFloats>(weight, w + i), v, a0);
                a1 = TFloats.MultiplyAdd(TWeight.Load<TFloats>(weight, w + width + i), v, a1);
                a2 = TFloats.MultiplyAdd(TWeight.Load<TFloats>(weight, w + 2 * width + i), v, a2);
                a3 = TFloats.MultiplyAdd(TWeight.Load<TFloats>(weight, w + 3 * width + i), v, a3);
            }
            Put(LaneSums.Sums(a0, a1, a2, a3), y + first, adds);
        }
        for (; first < end; first++, w += width)
        {
            TFloats a = default;
            var from = x;
            for (var i = 0; i < width; i += TFloats.Count)
            {
                if (i + TFloats.Count > width)
                {
                    i = width - TFloats.Count;
                    from = rest - i;
                }
                a = TFloats.MultiplyAdd(TWeight.Load<TFloats>(weight, w + i), TFloats.Load(from + i), a);
            }
            var sum = LaneSums.Sum(a);
            y[first] = adds ? y[first] + sum : sum;
        }
    }

    [MethodImpl(KernelMethod.Compiled)]
    public static void TwoRows<TWeight, TFloats>(
        float* x, long xStride, void* weight, int width, int first, int end, float* y, long yStride, bool adds)
        where TWeight : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var rest = stackalloc float[2 * TFloats.Count];
        Gemv.LoadRest<TFloats>(x, width, rest);
        Gemv.LoadRest<TFloats>(x + xStride, width, rest + TFloats.Count);
        var w = (long)first * width;
        for (; first + OutputsAtOnce <= end; first += OutputsAtOnce, w += OutputsAtOnce * width)
        {
            TFloats a00 = default, a01 = default, a02 = default, a03 = default;
            TFloats a10 = default, a11 = default, a12 = default, a13 = default;
            float* from0 = x, from1 = from0 + xStride;
            for (var i = 0; i < width; i += TFloats.Count)
            {
                if (i + TFloats.Count > width)
                {
                    i = width - TFloats.Count;
                    from0 = rest - i;
                    from1 = from0 + TFloats.Count;
                }
                var (w0, w1) = (TWeight.Load<TFloats>(weight, w + i), TWeight.Load<TFloats>(weight, w + width + i));
                var (w2, w3) = (TWeight.Load<TFloats>(weight, w + 2 * width + i), TWeight.Load<TFloats>(weight, w + 3 * width + i));
                var v = TFloats.Load(from0 + i);
                a00 = TFloats.MultiplyAdd(w0, v, a00);
                a01 = TFloats.MultiplyAdd(w1, v, a01);
                a02 = TFloats.MultiplyAdd(w2, v, a02);
                a03 = TFloats.MultiplyAdd(w3, v, a03);
                v = TFloats.Load(from1 + i);
                a10 = TFloats.MultiplyAdd(w0, v, a10);
                a11 = TFloats.MultiplyAdd(w1, v, a11);
                a12 = TFloats.MultiplyAdd(w2, v, a12);
                a13 = TFloats.MultiplyAdd(w3, v, a13);
            }
            Put(LaneSums.Sums(a00, a01, a02, a03), y + first, adds);
            Put(LaneSums.Sums(a10, a11, a12, a13), y + first + yStride, adds);
        }
        if (first == end)
            return;
        OneRow<TWeight, TFloats>(x, weight, width, first, end, y, adds);
        OneRow<TWeight, TFloats>(x + xStride, weight, width, first, end, y + yStride, adds);
    }

    [MethodImpl(KernelMethod.Compiled)]
    public static void FourRows<TWeight, TFloats>(
        float* x, long xStride, void* weight, int width, int first, int end, float* y, long yStride, bool adds)
        where TWeight : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var rest = stackalloc float[Gemv.RowsAtOnce * TFloats.Count];
        for (var row = 0; row < Gemv.RowsAtOnce; row++)
            Gemv.LoadRest<TFloats>(x + row * xStride, width, rest + row * TFloats.Count);
        var w = (long)first * width;
        for (; first + OutputsAtOnce <= end; first += OutputsAtOnce, w += OutputsAtOnce * width)
        {
            TFloats a00 = default, a01 = default, a02 = default, a03 = default;
            TFloats a10 = default, a11 = default, a12 = default, a13 = default;
            TFloats a20 = default, a21 = default, a22 = default, a23 = default;
            TFloats a30 = default, a31 = default, a32 = default, a33 = default;
            float* from0 = x, from1 = from0 + xStride, from2 = from1 + xStride, from3 = from2 + xStride;
            for (var i = 0; i < width; i += TFloats.Count)
            {
                if (i + TFloats.Count > width)
                {
                    i = width - TFloats.Count;
                    from0 = rest - i;
                    from1 = from0 + TFloats.Count;
                    from2 = from1 + TFloats.Count;
                    from3 = from2 + TFloats.Count;
                }
                var (w0, w1) = (TWeight.Load<TFloats>(weight, w + i), TWeight.Load<TFloats>(weight, w + width + i));
                var (w2, w3) = (TWeight.Load<TFloats>(weight, w + 2 * width + i), TWeight.Load<TFloats>(weight, w + 3 * width + i));
                var v = TFloats.Load(from0 + i);
                a00 = TFloats.MultiplyAdd(w0, v, a00);
                a01 = TFloats.MultiplyAdd(w1, v, a01);
                a02 = TFloats.MultiplyAdd(w2, v, a02);
                a03 = TFloats.MultiplyAdd(w3, v, a03);
                v = TFloats.Load(from1 + i);
                a10 = TFloats.MultiplyAdd(w0, v, a10);
                a11 = TFloats.MultiplyAdd(w1, v, a11);
                a12 = TFloats.MultiplyAdd(w2, v, a12);
                a13 = TFloats.MultiplyAdd(w3, v, a13);
                v = TFloats.Load(from2 + i);
                a20 = TFloats.MultiplyAdd(w0, v, a20);
                a21 = TFloats.MultiplyAdd(w1, v, a21);
                a22 = TFloats.MultiplyAdd(w2, v, a22);
                a23 = TFloats.MultiplyAdd(w3, v, a23);
                v = TFloats.Load(from3 + i);
                a30 = TFloats.MultiplyAdd(w0, v, a30);
                a31 = TFloats.MultiplyAdd(w1, v, a31);
                a32 = TFloats.MultiplyAdd(w2, v, a32);
                a33 = TFloats.MultiplyAdd(w3, v, a33);
            }
            var to = y + first;
            Put(LaneSums.Sums(a00, a01, a02, a03), to, adds);
            Put(LaneSums.Sums(a10, a11, a12, a13), to + yStride, adds);
            Put(LaneSums.Sums(a20, a21, a22, a23), to + 2 * yStride, adds);
            Put(LaneSums.Sums(a30, a31, a32, a33), to + 3 * yStride, adds);
        }
        for (var row = 0; first < end && row < Gemv.RowsAtOnce; row++)
            OneRow<TWeight, TFloats>(x + row * xStride, weight, width, first, end, y + row * yStride, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(Vector128<float> sums, float* y, bool adds) =>
        (adds ? Vector128.Load(y) + sums : sums).Store(y);
}
