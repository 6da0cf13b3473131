using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Copies between features as projections have them, [batch · length, width], and heads as attention has them,
/// [batch · groups, queries, length, d], on the CPU; on the way heads are rotated by their positions' angles (half-split order).
/// </summary>
internal static unsafe class HeadsKernel
{
    /// <summary>Whether features can be read here.</summary>
    public static bool Suits(Tensor features) =>
        features.device_type == DeviceType.CPU && features.dtype is ScalarType.Float32 or ScalarType.BFloat16;

    /// <summary>Writes heads.</summary>
    /// <param name="features">[batch · length, width].</param>
    /// <param name="heads">[batch · groups, queries, length, d], written.</param>
    /// <param name="places">Where the heads stand.</param>
    /// <param name="angles">By what they are rotated, or null.</param>
    public static void Split(Tensor features, Tensor heads, HeadPlaces places, HeadAngles? angles) =>
        ForHeads(features, heads, places, angles, splits: true);

    /// <summary>Writes features; parameters as in <see cref="Split"/>.</summary>
    public static void Join(Tensor features, Tensor heads, HeadPlaces places, HeadAngles? angles) =>
        ForHeads(features, heads, places, angles, splits: false);

    private static void ForHeads(Tensor features, Tensor heads, HeadPlaces places, HeadAngles? angles, bool splits)
    {
        if (features.dtype == ScalarType.BFloat16)
            ForHeads<BFloat16Element>(features, heads, places, angles, splits);
        else
            ForHeads<Float32Element>(features, heads, places, angles, splits);
    }

    private static void ForHeads<T>(Tensor features, Tensor heads, HeadPlaces places, HeadAngles? angles, bool splits)
        where T : struct, IElement
    {
        var (flat, apart) = (TensorMemory.Address(features), TensorMemory.Address(heads));
        var (rowStride, length, width) = (features.stride(0), (int)heads.size(2), places.Width);
        var (groupStride, queryStride, tokenStride) = (heads.stride(0), heads.stride(1), heads.stride(2));
        var (cosine, sine) = angles is null ? (0, 0) : (TensorMemory.Address(angles.Cosine), TensorMemory.Address(angles.Sine));
        var sign = angles?.IsBack == true ? -1f : 1f;
        var count = places.Columns.Length;
        RowBlocks.For((int)heads.size(0) / places.Groups * count, rowsOfBlock: 1, (long)length * width, (head, _, _) =>
        {
            var (sequence, place) = (head / count, head % count);
            var (group, query) = (place / places.Queries, place % places.Queries);
            var ofFeatures = new Run(flat + (nint)(((long)sequence * length * rowStride + places.Columns[place]) * T.Size), rowStride);
            var ofHead = new Run(apart + (nint)((((long)sequence * places.Groups + group) * groupStride + query * queryStride) * T.Size),
                tokenStride);
            var (from, to) = splits ? (ofFeatures, ofHead) : (ofHead, ofFeatures);
            if (cosine == 0)
                Copy<T>(from, to, length, width);
            else
                Rotate<T>(from, to, (void*)cosine, (void*)sine, length, width, sign);
        });
    }

    private static void Copy<T>(Run from, Run to, int length, int width)
        where T : struct, IElement
    {
        var bytes = (long)width * T.Size;
        for (var token = 0; token < length; token++)
            Buffer.MemoryCopy(from.At<T>(token), to.At<T>(token), bytes, bytes);
    }

    private static void Rotate<T>(Run from, Run to, void* cosine, void* sine, int length, int width, float sign)
        where T : struct, IElement
    {
        var half = width / 2;
        if (VectorWidth.Floats >= Floats16.Count && half % Floats16.Count == 0)
            Rotate<T, Floats16>(from, to, cosine, sine, length, half, sign);
        else if (VectorWidth.Floats >= Floats8.Count && half % Floats8.Count == 0)
            Rotate<T, Floats8>(from, to, cosine, sine, length, half, sign);
        else
            Rotate<T, Floats4>(from, to, cosine, sine, length, half, sign);
    }

    // Each operation rounds by itself, as in RotaryFunction.
    [MethodImpl(KernelMethod.Compiled)]
    private static void Rotate<T, TFloats>(Run from, Run to, void* cosine, void* sine, int length, int half, float sign)
        where T : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var rounding = stackalloc float[TFloats.Count];
        var signs = TFloats.Create(sign);
        for (var token = 0; token < length; token++)
        {
            void* x = from.At<T>(token), y = to.At<T>(token);
            var (angle, i) = ((long)token * half, 0);
            for (; i + TFloats.Count <= half; i += TFloats.Count)
            {
                var (first, second) = (T.Load<TFloats>(x, i), T.Load<TFloats>(x, half + i));
                var (cosines, sines) = (T.Load<TFloats>(cosine, angle + i), T.Load<TFloats>(sine, angle + i) * signs);
                T.Store(y, i, Rounded<T, TFloats>(first * cosines, rounding) - Rounded<T, TFloats>(second * sines, rounding));
                T.Store(y, half + i, Rounded<T, TFloats>(second * cosines, rounding) + Rounded<T, TFloats>(first * sines, rounding));
            }
            for (; i < half; i++)
            {
                var (first, second) = (T.Get(x, i), T.Get(x, half + i));
                var (c, s) = (T.Get(cosine, angle + i), T.Get(sine, angle + i) * sign);
                T.Set(y, i, Rounded<T>(first * c) - Rounded<T>(second * s));
                T.Set(y, half + i, Rounded<T>(second * c) + Rounded<T>(first * s));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TFloats Rounded<T, TFloats>(TFloats values, float* scratch)
        where T : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        if (typeof(T) == typeof(Float32Element))
            return values;
        T.Store(scratch, 0, values);
        return T.Load<TFloats>(scratch, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Rounded<T>(float value)
        where T : struct, IElement
    {
        T.Set(&value, 0, value);
        return T.Get(&value, 0);
    }

    /// <summary>A head's features, token by token.</summary>
    private readonly struct Run(nint address, long stride)
    {
        public void* At<T>(int token)
            where T : struct, IElement => (void*)(address + (nint)(token * stride * T.Size));
    }
}
