using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>A weight of floating-point numbers, read where the parameter has them.</summary>
/// <typeparam name="T">Their type.</typeparam>
internal sealed unsafe class FloatMatrix<T> : WeightMatrix
    where T : struct, IElement
{
    private readonly Tensor _panel;
    private readonly nint _address;

    /// <param name="parameter">[outputs, width], of type <typeparamref name="T"/>; one that is not contiguous is copied.</param>
    public FloatMatrix(Tensor parameter) : base((int)parameter.size(0), (int)parameter.size(1))
    {
        using var scope = NewDisposeScope();
        _panel = parameter.detach().contiguous().t().DetachFromDisposeScope();
        _address = TensorMemory.Address(_panel);
    }

    public override bool Reads(LinearWeight weight) => weight.Numbers is { } parameter &&
        parameter.dtype == T.Type && parameter.is_contiguous() && TensorMemory.Address(parameter) == _address;

    public override void Multiply(
        float* x, long xStride, int rows, int first, int end, float* y, long yStride, bool adds) =>
        Gemv.Multiply<T>(x, xStride, rows, (void*)_address, Width, first, end, y, yStride, adds);

    public override MatrixView View() => MatrixView.Of(_panel);

    public override Tensor Panel(ScalarType type) => _panel;

    public override void Widen(int output, float* weights) =>
        RowKernels.Widen<T>((void*)_address, (long)output * Width, weights, Width);

    public override void Dispose() => _panel.Dispose();
}
