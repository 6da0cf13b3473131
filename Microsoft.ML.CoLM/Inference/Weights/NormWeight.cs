using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>A norm's weight [width] of a chain on the CPU, in the features' type.</summary>
internal sealed class NormWeight : IDisposable
{
    private readonly Tensor _weight;

    /// <param name="parameter">[width].</param>
    public NormWeight(Tensor parameter)
    {
        using var scope = NewDisposeScope();
        _weight = parameter.detach().contiguous().DetachFromDisposeScope();
        Address = TensorMemory.Address(_weight);
        Width = (int)_weight.size(0);
    }

    public nint Address { get; }

    public int Width { get; }

    /// <inheritdoc cref="WeightMatrix.Reads"/>
    public bool Reads(Tensor parameter) => parameter.dtype == _weight.dtype &&
        parameter.is_contiguous() && TensorMemory.Address(parameter) == Address;

    public void Dispose() => _weight.Dispose();
}
