using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>
/// What the first chains computed in one forward pass: all that later chains need to be computed on top of them.
/// </summary>
/// <remarks>
/// Each is [rows, width of the chains]; <see cref="FeatureSite.Keys"/> and <see cref="FeatureSite.Values"/> are
/// [batch · KV heads, 1, length, d].
/// </remarks>
internal sealed class ChainFeatures(int layerCount) : IDisposable
{
    private readonly Tensor?[,] _sites = new Tensor?[layerCount, Enum.GetValues<FeatureSite>().Length];

    /// <summary>Logits [rows, V] at the scale of these chains.</summary>
    public Tensor? Logits { get; private set; }

    public Tensor this[int layer, FeatureSite site] =>
        _sites[layer, (int)site] ?? throw new InvalidOperationException($"Layer {layer} kept no {site}.");

    /// <summary>Keeps a reference of its own to a tensor; the caller goes on owning the one it gave.</summary>
    public void Keep(int layer, FeatureSite site, Tensor features) =>
        _sites[layer, (int)site] = features.alias().DetachFromDisposeScope();

    /// <summary>Keeps the logits as <see cref="Keep"/> does.</summary>
    public void KeepLogits(Tensor logits) => Logits = logits.alias().DetachFromDisposeScope();

    public void Dispose()
    {
        foreach (var tensor in _sites)
            tensor?.Dispose();
        Logits?.Dispose();
    }
}
