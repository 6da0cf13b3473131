using Microsoft.ML.CoLM.Chains;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>What a session's rows are computed in, a slot each: memory of a fixed size, and the views of it that passes use.</summary>
internal sealed class RowBuffers : IDisposable
{
    private readonly CoLMConfig _config;
    private readonly FeatureLayout _columns;
    private readonly ScalarType _dtype;
    private readonly Device _device;
    private readonly Dictionary<(int First, int Count, ChainRange Chains, bool KeepsLayers), RowViews> _views = [];
    private readonly FeatureStore _passing;
    private FeatureStore? _kept;

    public RowBuffers(CoLMConfig config, FeatureLayout columns, int slots, ScalarType dtype, Device device)
    {
        (_config, _columns, _dtype, _device, SlotCount) = (config, columns, dtype, device, slots);
        var chains = Enumerable.Range(0, config.ChainCount);
        Residual = Rows(columns.Hidden[^1]);
        Ups = Rows(columns.Intermediate[^1]);
        Turns = Rows(config.HeadWidth * config.HeadWidth);
        Flat = [.. chains.Select(chain => Rows(config.QueryWidth(chain) + KeyWidth(chain)))];
        Turned = [.. chains.Select(chain => Rows(config.QueryWidth(chain) + 2 * KeyWidth(chain)))];
        _passing = new FeatureStore(config, columns, slots, keepsLayers: false, dtype, device);
    }

    public int SlotCount { get; }

    /// <summary>[slots, D].</summary>
    public Tensor Residual { get; }

    /// <summary>[slots, F].</summary>
    public Tensor Ups { get; }

    /// <summary>[slots, d · d], the turn of each row's position.</summary>
    public Tensor Turns { get; }

    /// <summary>For each chain, [slots, queries and keys], not yet turned.</summary>
    public Tensor[] Flat { get; }

    /// <summary>For each chain, [slots, queries, keys and values], turned.</summary>
    public Tensor[] Turned { get; }

    /// <summary>Features that later chains are computed from.</summary>
    public FeatureStore Kept => _kept ??= new FeatureStore(_config, _columns, SlotCount, keepsLayers: true, _dtype, _device);

    /// <summary>The views of some slots.</summary>
    /// <param name="first">The first slot.</param>
    /// <param name="count">How many.</param>
    /// <param name="chains">The chains that are computed in them.</param>
    /// <param name="keepsLayers">Whether every layer's features are kept, or read of those before the chains.</param>
    public RowViews Views(int first, int count, ChainRange chains, bool keepsLayers)
    {
        var key = (first, count, chains, keepsLayers);
        if (!_views.TryGetValue(key, out var views))
        {
            views = new RowViews(this, keepsLayers ? Kept : _passing, _config, _columns, first, count, chains);
            _views.Add(key, views);
        }
        return views;
    }

    /// <summary>The width of a chain's own keys; 0 where it has none.</summary>
    private int KeyWidth(int chain) =>
        chain < _config.KeyValueChains ? _config.KeyValueHeads(chain) * _config.HeadWidth : 0;

    private Tensor Rows(int width) => zeros([SlotCount, width], dtype: _dtype, device: _device).DetachFromDisposeScope();

    public void Dispose()
    {
        foreach (var views in _views.Values)
            views.Dispose();
        foreach (var tensor in (Tensor[])[Residual, Ups, Turns, .. Flat, .. Turned])
            tensor.Dispose();
        _passing.Dispose();
        _kept?.Dispose();
    }
}
