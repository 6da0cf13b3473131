using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>A weight as inference reads it: by libtorch, or in place.</summary>
internal sealed class WeightMatrix : IDisposable
{
    /// <param name="weight">[outputs, width] or [width], on the CPU.</param>
    public WeightMatrix(Tensor weight)
    {
        using var detached = weight.detach();
        var contiguous = detached.contiguous().DetachFromDisposeScope();
        Weight = contiguous;
        Transposed = (contiguous.dim() == 2 ? contiguous.t() : contiguous.alias()).DetachFromDisposeScope();
        Address = TensorMemory.Address(contiguous);
        Outputs = (int)contiguous.size(0);
        Width = (int)contiguous.size(-1);
    }

    public Tensor Weight { get; }

    /// <summary>[width, outputs], the same memory.</summary>
    public Tensor Transposed { get; }

    public nint Address { get; }

    /// <summary>[outputs, width].</summary>
    public MatrixView View => new(Address, Width, 1, Weight.dtype == ScalarType.BFloat16);

    public int Outputs { get; }

    public int Width { get; }

    public void Dispose()
    {
        Transposed.Dispose();
        Weight.Dispose();
    }
}
