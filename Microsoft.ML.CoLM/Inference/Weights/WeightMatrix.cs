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

    /// <summary>The matrix of a parameter [outputs, width] on the CPU.</summary>
    /// <exception cref="NotSupportedException">Its type is none that is multiplied here.</exception>
    public static WeightMatrix Of(Tensor parameter) => parameter.dtype switch
    {
        ScalarType.Float32 => new FloatMatrix<Kernels.Float32Element>(parameter),
        ScalarType.BFloat16 => new FloatMatrix<Kernels.BFloat16Element>(parameter),
        var other => throw new NotSupportedException($"A weight must be Float32 or BFloat16 to be multiplied on the CPU, found {other}."),
    };

    /// <summary>Whether this is what the parameter holds now, and will be when somebody writes to it.</summary>
    public abstract bool Reads(Tensor parameter);

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

    /// <summary>
    /// [width, outputs] in the features' type, for products of many rows: the matrix itself where it is stored so, and otherwise
    /// made for the dispose scope that this is called in.
    /// </summary>
    public abstract Tensor Panel();

    /// <summary>Writes the weights of an output: of an embedding, a token's features.</summary>
    /// <param name="output">The output.</param>
    /// <param name="weights">[width].</param>
    public abstract void Widen(int output, float* weights);

    public abstract void Dispose();
}
