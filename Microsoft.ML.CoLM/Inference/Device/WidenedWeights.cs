using Microsoft.ML.CoLM.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// Weights as numbers, on whatever device: the parameters themselves, and of quantised ones a copy that is made once and kept.
/// </summary>
/// <param name="type">The features' type.</param>
internal sealed class WidenedWeights(ScalarType type) : IDisposable
{
    private readonly TensorList _copies = new();
    private readonly Dictionary<(ChainModule Module, int Chain), Tensor> _known = [];

    public Tensor Of(ChainModule module, int chain)
    {
        if (module.HasNumbers(chain))
            return module.Weight(chain);
        if (!_known.TryGetValue((module, chain), out var copy))
            _known.Add((module, chain), copy = _copies.Keep(module.Matrix(chain).Widened(type)));
        return copy;
    }

    public void Dispose() => _copies.Dispose();
}
