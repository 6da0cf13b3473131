using Microsoft.ML.CoLM.Kernels;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// A weight [outputs, width] on the CPU as inference reads it. How its numbers are stored is its own affair: sessions
/// multiply rows by it, or ask for a panel.
/// </summary>
/// <param name="outputs">Outputs.</param>
/// <param name="width">Inputs of an output.</param>
internal abstract unsafe class WeightMatrix(int outputs, int width) : IDisposable
{
    public int Outputs { get; } = outputs;

    public int Width { get; } = width;

    /// <summary>The matrix of a weight on the CPU.</summary>
    /// <param name="weight">The weight.</param>
    /// <param name="rounds">Whether few rows' activations are rounded where it is quantised.</param>
    /// <exception cref="NotSupportedException">Its type is none that is multiplied here.</exception>
    public static WeightMatrix Of(LinearWeight weight, bool rounds) => weight switch
    {
        { Packed: { } packed } => new PackedMatrix(packed, rounds),
        { Numbers: { dtype: ScalarType.Float32 } numbers } => new FloatMatrix<Float32Element>(numbers),
        { Numbers: { dtype: ScalarType.BFloat16 } numbers } => new FloatMatrix<BFloat16Element>(numbers),
        _ => throw new NotSupportedException(
            $"A weight must be Float32 or BFloat16 to be multiplied on the CPU, found {weight.Numbers!.dtype}."),
    };

    /// <summary>Whether this is what the weight holds now, and will be when somebody writes to it.</summary>
    public abstract bool Reads(LinearWeight weight);

    /// <summary>Computes some outputs of a few rows, y = x · Wᵀ; an output is the same to the bit whatever is beside it.</summary>
    /// <param name="x">[rows, width], <paramref name="xStride"/> apart.</param>
    /// <param name="xStride">Elements from a row of x to the next.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="first">The first output.</param>
    /// <param name="end">The output after the last.</param>
    /// <param name="y">[rows, outputs], <paramref name="yStride"/> apart.</param>
    /// <param name="yStride">Elements from a row of y to the next.</param>
    /// <param name="adds">Whether to add to y, or to replace it.</param>
    public abstract void Multiply(float* x, long xStride, int rows, int first, int end, float* y, long yStride, bool adds);

    /// <summary>[width, outputs], for products of many rows by this library.</summary>
    public abstract MatrixView View();

    /// <summary>
    /// [width, outputs] for products of many rows by libtorch: the matrix itself where it is stored so, and otherwise made for the
    /// dispose scope that this is called in.
    /// </summary>
    /// <param name="type">The features' type.</param>
    public abstract Tensor Panel(ScalarType type);

    /// <summary>Writes the weights of an output: of an embedding, a token's features.</summary>
    /// <param name="output">The output.</param>
    /// <param name="weights">[width].</param>
    public abstract void Widen(int output, float* weights);

    public abstract void Dispose();
}
