using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// The weights of a layer's chains as <see cref="LayerScript"/> reads them: views of the parameters, and copies of quantised ones
/// alone.
/// </summary>
internal sealed class ScriptWeights : IDisposable
{
    private readonly TensorList _views = new();
    private readonly WidenedWeights _widened;

    /// <param name="layer">The layer.</param>
    /// <param name="chains">The chains.</param>
    /// <param name="widened">What quantised weights are as numbers.</param>
    public ScriptWeights(DecoderLayer layer, ChainRange chains, WidenedWeights widened)
    {
        _widened = widened;
        AttentionNorm = Vectors(layer.AttentionNorm, chains);
        Query = Matrices(layer.Attention.Query, chains);
        Key = Matrices(layer.Attention.Key, chains);
        Value = Matrices(layer.Attention.Value, chains);
        Output = Matrices(layer.Attention.Output, chains);
        FeedForwardNorm = Vectors(layer.FeedForwardNorm, chains);
        Gate = Matrices(layer.FeedForward.Gate, chains);
        Up = Matrices(layer.FeedForward.Up, chains);
        Down = Matrices(layer.FeedForward.Down, chains);
    }

    /// <summary>[D_i].</summary>
    public Tensor[] AttentionNorm { get; }

    /// <summary>[D_≤i, Q_i].</summary>
    public Tensor[] Query { get; }

    /// <summary>[D_≤i, K_i], of the chains that have keys of their own.</summary>
    public Tensor[] Key { get; }

    /// <summary>[D_≤i, K_i], of the chains that have values of their own.</summary>
    public Tensor[] Value { get; }

    /// <summary>[Q_≤i, D_i].</summary>
    public Tensor[] Output { get; }

    /// <summary>[D_i].</summary>
    public Tensor[] FeedForwardNorm { get; }

    /// <summary>[D_≤i, F_i].</summary>
    public Tensor[] Gate { get; }

    /// <summary>[D_≤i, F_i].</summary>
    public Tensor[] Up { get; }

    /// <summary>[F_≤i, D_i].</summary>
    public Tensor[] Down { get; }

    /// <summary>The weights of a norm's chains, [D_i].</summary>
    public static Tensor[] Vectors(ChainModule module, ChainRange chains) =>
        [.. Own(module, chains).Select(module.Weight)];

    public void Dispose() => _views.Dispose();

    private Tensor[] Matrices(ChainModule module, ChainRange chains) =>
        _views.Keep(Own(module, chains).Select(chain => _widened.Of(module, chain).t()));

    private static IEnumerable<int> Own(ChainModule module, ChainRange chains) =>
        Enumerable.Range(chains.First, chains.Count).Where(chain => chain < module.ChainCount);
}
