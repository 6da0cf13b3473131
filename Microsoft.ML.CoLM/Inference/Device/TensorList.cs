using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>Tensors that live until they are disposed together, whatever scope they were made in.</summary>
internal sealed class TensorList : IDisposable
{
    private readonly List<Tensor> _tensors = [];

    public Tensor Keep(Tensor tensor)
    {
        _tensors.Add(tensor.DetachFromDisposeScope());
        return tensor;
    }

    public Tensor[] Keep(IEnumerable<Tensor> tensors) => [.. tensors.Select(Keep)];

    public void Dispose()
    {
        foreach (var tensor in _tensors)
            tensor.Dispose();
        _tensors.Clear();
    }
}
