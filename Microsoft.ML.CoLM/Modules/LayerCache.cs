using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>
/// Keys and values of one layer, of a sequence that goes through the layers one by one and through each in blocks: those of
/// the next layer take their place.
/// </summary>
internal sealed class LayerCache : IKeyValueCache, IDisposable
{
    private readonly Tensor _keys;
    private readonly Tensor _values;
    private long _end;

    /// <param name="config">The model.</param>
    /// <param name="pass">The whole sequence's, from the first chain on.</param>
    /// <param name="dtype">The features' type.</param>
    /// <param name="device">Where they live.</param>
    public LayerCache(CoLMConfig config, ForwardPass pass, ScalarType dtype, Device device)
    {
        var heads = Enumerable.Range(0, Math.Min(pass.Chains.End, config.KeyValueChains)).Sum(config.KeyValueHeads);
        _keys = New();
        _values = New();

        Tensor New() => empty([heads, 1, pass.Length, config.HeadWidth], dtype: dtype, device: device).DetachFromDisposeScope();
    }

    /// <summary>Keeps a copy of a layer's keys and values.</summary>
    public void CopyTo(ChainFeatures kept, int layer)
    {
        using var scope = NewDisposeScope();
        kept.Keep(layer, FeatureSite.Keys, _keys.clone());
        kept.Keep(layer, FeatureSite.Values, _values.clone());
    }

    /// <summary>Where the block begins.</summary>
    public long Start { get; set; }

    public IReadOnlyList<int>? Lengths => null;

    public void Write(int layer, int firstChain, Tensor keys, Tensor values)
    {
        using var scope = NewDisposeScope();
        _end = Start + keys.size(2);
        _keys.narrow(2, Start, keys.size(2)).copy_(keys);
        _values.narrow(2, Start, values.size(2)).copy_(values);
    }

    public (Tensor Keys, Tensor Values) Read(int layer, int firstChain, int endChain) =>
        (_keys.narrow(2, 0, _end), _values.narrow(2, 0, _end));

    public void Dispose()
    {
        _keys.Dispose();
        _values.Dispose();
    }
}
