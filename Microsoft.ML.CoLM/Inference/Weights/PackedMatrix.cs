using System.Buffers;
using Microsoft.ML.CoLM.Kernels;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>A quantised weight, read where the model has it.</summary>
internal sealed unsafe class PackedMatrix : WeightMatrix
{
    private readonly PackedWeight _packed;
    private readonly Tensor _codes;
    private readonly Tensor _scales;
    private readonly bool _rounds;

    /// <param name="packed">The weight; its memory is kept, whatever becomes of the model.</param>
    /// <param name="rounds">Whether few rows' activations are rounded.</param>
    public PackedMatrix(PackedWeight packed, bool rounds) : base(packed.Outputs, packed.Width)
    {
        _rounds = rounds;
        using var scope = NewDisposeScope();
        (_codes, _scales) = (packed.Codes.detach().DetachFromDisposeScope(), packed.Scales.detach().DetachFromDisposeScope());
        _packed = packed.With(_codes, _scales);
    }

    public override bool Reads(LinearWeight weight) => weight.Packed is { } packed && packed.GetType() == _packed.GetType() &&
        TensorMemory.Address(packed.Codes) == TensorMemory.Address(_codes) &&
        TensorMemory.Address(packed.Scales) == TensorMemory.Address(_scales);

    public override void Multiply(
        float* x, long xStride, int rows, int first, int end, float* y, long yStride, bool adds)
    {
        if (_rounds)
        {
            _packed.MultiplyRounded(x, xStride, rows, first, end, y, yStride, adds);
            return;
        }
        var rented = ArrayPool<float>.Shared.Rent(Width);
        fixed (float* weights = rented)
        {
            for (var output = first; output < end; output++)
            {
                _packed.Widen(output, 0, Width, weights);
                Gemv.Multiply<Float32Element>(x, xStride, rows, weights, Width, 0, 1, y + output, yStride, adds);
            }
        }
        ArrayPool<float>.Shared.Return(rented);
    }

    public override MatrixView View() => MatrixView.Of(_packed).Transposed();

    public override Tensor Panel(ScalarType type) => _packed.Widened(type).t();

    public override void Widen(int output, float* weights) => _packed.Widen(output, 0, Width, weights);

    public override void Dispose()
    {
        _codes.Dispose();
        _scales.Dispose();
    }
}
