using System.Runtime.CompilerServices;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>What stands between a decoder's matrix products, for one row of one chain, without gradients.</summary>
/// <remarks>An element's value depends on its own row and chain alone, never on where in memory it stands.</remarks>
internal static unsafe class RowKernels
{
    /// <summary>RMSNorm, y = w · x / sqrt(mean(x²) + ε).</summary>
    /// <param name="x">[width].</param>
    /// <param name="weight">[width].</param>
    /// <param name="y">[width].</param>
    /// <param name="width">Features of the chain.</param>
    /// <param name="epsilon">ε.</param>
    public static void Normalise<TWeight, TOut>(float* x, void* weight, void* y, int width, float epsilon)
        where TWeight : struct, IElement
        where TOut : struct, IElement
    {
        switch (VectorWidth.Floats)
        {
            case 16: Normalise<TWeight, TOut, Floats16>(x, weight, y, width, epsilon); break;
            case 8: Normalise<TWeight, TOut, Floats8>(x, weight, y, width, epsilon); break;
            default: Normalise<TWeight, TOut, Floats4>(x, weight, y, width, epsilon); break;
        }
    }

    /// <inheritdoc cref="Normalise{TWeight, TOut}"/>
    [MethodImpl(KernelMethod.Compiled)]
    public static void Normalise<TWeight, TOut, TFloats>(float* x, void* weight, void* y, int width, float epsilon)
        where TWeight : struct, IElement
        where TOut : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var squares = default(TFloats);
        var i = 0;
        for (; i + TFloats.Count <= width; i += TFloats.Count)
        {
            var v = TFloats.Load(x + i);
            squares = TFloats.MultiplyAdd(v, v, squares);
        }
        var sum = LaneSums.Sum(squares);
        for (; i < width; i++)
            sum += x[i] * x[i];
        var inverse = 1 / MathF.Sqrt(sum / width + epsilon);

        var scale = TFloats.Create(inverse);
        for (i = 0; i + TFloats.Count <= width; i += TFloats.Count)
            TOut.Store(y, i, TFloats.Load(x + i) * scale * TWeight.Load<TFloats>(weight, i));
        for (; i < width; i++)
            TOut.Set(y, i, x[i] * inverse * TWeight.Get(weight, i));
    }

    /// <summary>SwiGLU's product, y = silu(gate) · up.</summary>
    /// <param name="gate">[width].</param>
    /// <param name="up">[width].</param>
    /// <param name="y">[width].</param>
    /// <param name="width">How many.</param>
    public static void SwiGlu<TIn, TOut>(void* gate, void* up, void* y, int width)
        where TIn : struct, IElement
        where TOut : struct, IElement
    {
        switch (VectorWidth.Floats)
        {
            case 16: SwiGlu<TIn, TOut, Floats16>(gate, up, y, width); break;
            case 8: SwiGlu<TIn, TOut, Floats8>(gate, up, y, width); break;
            default: SwiGlu<TIn, TOut, Floats4>(gate, up, y, width); break;
        }
    }

    /// <inheritdoc cref="SwiGlu{TIn, TOut}"/>
    [MethodImpl(KernelMethod.Compiled)]
    public static void SwiGlu<TIn, TOut, TFloats>(void* gate, void* up, void* y, int width)
        where TIn : struct, IElement
        where TOut : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var i = 0;
        for (; i + TFloats.Count <= width; i += TFloats.Count)
            TOut.Store(y, i, VectorMath.Silu(TIn.Load<TFloats>(gate, i)) * TIn.Load<TFloats>(up, i));
        if (i == width)
            return;
        // The rest through the same vector function: another would round differently.
        var rest = stackalloc float[2 * TFloats.Count];
        new Span<float>(rest, 2 * TFloats.Count).Clear();
        for (var j = i; j < width; j++)
            (rest[j - i], rest[TFloats.Count + j - i]) = (TIn.Get(gate, j), TIn.Get(up, j));
        (VectorMath.Silu(TFloats.Load(rest)) * TFloats.Load(rest + TFloats.Count)).Store(rest);
        for (var j = i; j < width; j++)
            TOut.Set(y, j, rest[j - i]);
    }

    /// <summary>Rotates a head by its position's angles (half-split order) and scales it.</summary>
    /// <param name="x">[d].</param>
    /// <param name="y">[d]; may not be x.</param>
    /// <param name="d">The head's width.</param>
    /// <param name="cosine">[d / 2].</param>
    /// <param name="sine">[d / 2].</param>
    /// <param name="scale">Multiplies the result.</param>
    public static void Rotate<TIn>(void* x, float* y, int d, float* cosine, float* sine, float scale)
        where TIn : struct, IElement
    {
        switch (VectorWidth.Floats)
        {
            case 16: Rotate<TIn, Floats16>(x, y, d, cosine, sine, scale); break;
            case 8: Rotate<TIn, Floats8>(x, y, d, cosine, sine, scale); break;
            default: Rotate<TIn, Floats4>(x, y, d, cosine, sine, scale); break;
        }
    }

    /// <inheritdoc cref="Rotate{TIn}"/>
    [MethodImpl(KernelMethod.Compiled)]
    public static void Rotate<TIn, TFloats>(void* x, float* y, int d, float* cosine, float* sine, float scale)
        where TIn : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var (half, i, scales) = (d / 2, 0, TFloats.Create(scale));
        for (; i + TFloats.Count <= half; i += TFloats.Count)
        {
            var (first, second) = (TIn.Load<TFloats>(x, i), TIn.Load<TFloats>(x, half + i));
            var (cosines, sines) = (TFloats.Load(cosine + i), TFloats.Load(sine + i));
            ((first * cosines - second * sines) * scales).Store(y + i);
            ((second * cosines + first * sines) * scales).Store(y + half + i);
        }
        for (; i < half; i++)
        {
            var (first, second) = (TIn.Get(x, i), TIn.Get(x, half + i));
            y[i] = (first * cosine[i] - second * sine[i]) * scale;
            y[half + i] = (second * cosine[i] + first * sine[i]) * scale;
        }
    }

    /// <summary>Copies numbers into float32.</summary>
    public static void Widen<TIn>(void* x, long offset, float* y, int width)
        where TIn : struct, IElement
    {
        switch (VectorWidth.Floats)
        {
            case 16: Widen<TIn, Floats16>(x, offset, y, width); break;
            case 8: Widen<TIn, Floats8>(x, offset, y, width); break;
            default: Widen<TIn, Floats4>(x, offset, y, width); break;
        }
    }

    /// <inheritdoc cref="Widen{TIn}"/>
    [MethodImpl(KernelMethod.Compiled)]
    public static void Widen<TIn, TFloats>(void* x, long offset, float* y, int width)
        where TIn : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var i = 0;
        for (; i + TFloats.Count <= width; i += TFloats.Count)
            TIn.Load<TFloats>(x, offset + i).Store(y + i);
        for (; i < width; i++)
            y[i] = TIn.Get(x, offset + i);
    }

    /// <summary>Copies numbers out of float32.</summary>
    public static void Narrow<TOut>(float* x, void* y, long offset, int width)
        where TOut : struct, IElement
    {
        switch (VectorWidth.Floats)
        {
            case 16: Narrow<TOut, Floats16>(x, y, offset, width); break;
            case 8: Narrow<TOut, Floats8>(x, y, offset, width); break;
            default: Narrow<TOut, Floats4>(x, y, offset, width); break;
        }
    }

    /// <inheritdoc cref="Narrow{TOut}"/>
    [MethodImpl(KernelMethod.Compiled)]
    public static void Narrow<TOut, TFloats>(float* x, void* y, long offset, int width)
        where TOut : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var i = 0;
        for (; i + TFloats.Count <= width; i += TFloats.Count)
            TOut.Store(y, offset + i, TFloats.Load(x + i));
        for (; i < width; i++)
            TOut.Set(y, offset + i, x[i]);
    }
}
