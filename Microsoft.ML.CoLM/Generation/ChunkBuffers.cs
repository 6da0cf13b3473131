using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// Features of a chunk of tokens, in the model's type. A history keeps those of every layer for all positions, so that
/// further chains can be computed for them later; without, layers take turns in one chunk's memory.
/// </summary>
internal sealed class ChunkBuffers : IDisposable
{
    private readonly Tensor[] _attentionInput;
    private readonly Tensor[] _attentionOutput;
    private readonly Tensor[] _feedForwardInput;
    private readonly Tensor[] _feedForwardHidden;

    /// <param name="weights">The model.</param>
    /// <param name="rows">Rows of a chunk, or all positions of all sequences for a history.</param>
    /// <param name="keepsLayers">Whether this is a history.</param>
    /// <param name="dtype">The model's type.</param>
    public ChunkBuffers(InferenceWeights weights, int rows, bool keepsLayers, ScalarType dtype)
    {
        (Rows, KeepsLayers) = (rows, keepsLayers);
        var layers = keepsLayers ? weights.Config.LayerCount : 1;
        _attentionInput = Allocate(weights.Hidden[^1]);
        _attentionOutput = Allocate(weights.Queries[^1]);
        _feedForwardInput = keepsLayers ? Allocate(weights.Hidden[^1]) : _attentionInput;
        _feedForwardHidden = Allocate(weights.Intermediate[^1]);

        Tensor[] Allocate(int width) => [.. Enumerable.Range(0, layers)
            .Select(_ => zeros([rows, width], dtype: dtype).DetachFromDisposeScope())];
    }

    public int Rows { get; }

    public bool KeepsLayers { get; }

    /// <summary>[rows, D].</summary>
    public Tensor AttentionInput(int layer) => _attentionInput[Index(layer)];

    /// <summary>[rows, queries].</summary>
    public Tensor AttentionOutput(int layer) => _attentionOutput[Index(layer)];

    /// <summary>[rows, D].</summary>
    public Tensor FeedForwardInput(int layer) => _feedForwardInput[Index(layer)];

    /// <summary>[rows, F].</summary>
    public Tensor FeedForwardHidden(int layer) => _feedForwardHidden[Index(layer)];

    public void Dispose()
    {
        foreach (var tensor in _attentionInput.Concat(_attentionOutput).Concat(_feedForwardInput).Concat(_feedForwardHidden))
            tensor.Dispose();
    }

    private int Index(int layer) => KeepsLayers ? layer : 0;
}
