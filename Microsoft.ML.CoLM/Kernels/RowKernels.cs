using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>What stands between a decoder's matrix products, for one row of one chain, without gradients.</summary>
/// <remarks>An element's value depends on its own row and chain alone, never on where in memory it stands.</remarks>
internal static unsafe class RowKernels
{
    private const int Lanes = 16;

    /// <summary>RMSNorm, y = w · x / sqrt(mean(x²) + ε).</summary>
    /// <param name="x">[width].</param>
    /// <param name="weight">[width].</param>
    /// <param name="y">[width].</param>
    /// <param name="width">Features of the chain.</param>
    /// <param name="epsilon">ε.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Normalise<TWeight, TOut>(float* x, void* weight, void* y, int width, float epsilon)
        where TWeight : struct, IElement
        where TOut : struct, IElement
    {
        var squares = Vector512<float>.Zero;
        var i = 0;
        for (; i + Lanes <= width; i += Lanes)
        {
            var v = Vector512.Load(x + i);
            squares = Vector512.FusedMultiplyAdd(v, v, squares);
        }
        var sum = Vector512.Sum(squares);
        for (; i < width; i++)
            sum += x[i] * x[i];
        var inverse = 1 / MathF.Sqrt(sum / width + epsilon);

        var scale = Vector512.Create(inverse);
        for (i = 0; i + Lanes <= width; i += Lanes)
            TOut.Store(y, i, Vector512.Load(x + i) * scale * TWeight.Load(weight, i));
        for (; i < width; i++)
            TOut.Set(y, i, x[i] * inverse * TWeight.Get(weight, i));
    }

    /// <summary>SwiGLU's product, y = silu(gate) · up.</summary>
    /// <param name="gate">[width].</param>
    /// <param name="up">[width].</param>
    /// <param name="y">[width].</param>
    /// <param name="width">How many.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SwiGlu<TIn, TOut>(void* gate, void* up, void* y, int width)
        where TIn : struct, IElement
        where TOut : struct, IElement
    {
        var i = 0;
        for (; i + Lanes <= width; i += Lanes)
            TOut.Store(y, i, VectorMath.Silu(TIn.Load(gate, i)) * TIn.Load(up, i));
        if (i == width)
            return;
        // The rest through the same vector function: another would round differently.
        var rest = stackalloc float[2 * Lanes];
        new Span<float>(rest, 2 * Lanes).Clear();
        for (var j = i; j < width; j++)
            (rest[j - i], rest[Lanes + j - i]) = (TIn.Get(gate, j), TIn.Get(up, j));
        (VectorMath.Silu(Vector512.Load(rest)) * Vector512.Load(rest + Lanes)).Store(rest);
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
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rotate<TIn>(void* x, float* y, int d, float* cosine, float* sine, float scale)
        where TIn : struct, IElement
    {
        var (half, i) = (d / 2, 0);
        for (; i + Lanes <= half; i += Lanes)
        {
            var (first, second) = (TIn.Load(x, i), TIn.Load(x, half + i));
            var (cosines, sines) = (Vector512.Load(cosine + i), Vector512.Load(sine + i));
            ((first * cosines - second * sines) * scale).Store(y + i);
            ((second * cosines + first * sines) * scale).Store(y + half + i);
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
        var i = 0;
        for (; i + Lanes <= width; i += Lanes)
            TIn.Load(x, offset + i).Store(y + i);
        for (; i < width; i++)
            y[i] = TIn.Get(x, offset + i);
    }

    /// <summary>Copies numbers out of float32.</summary>
    public static void Narrow<TOut>(float* x, void* y, long offset, int width)
        where TOut : struct, IElement
    {
        var i = 0;
        for (; i + Lanes <= width; i += Lanes)
            TOut.Store(y, offset + i, Vector512.Load(x + i));
        for (; i < width; i++)
            TOut.Set(y, offset + i, x[i]);
    }
}
