using Microsoft.ML.CoLM.Chains;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>A cache as <see cref="LayerScript"/> reads and writes it: views that serve until rows read more keys.</summary>
/// <param name="cache">A cache that is not blocked.</param>
/// <param name="config">The model that continues it, which may have other chains than the one that it was made for.</param>
internal sealed class CacheViews(KvCache cache, CoLMConfig config) : IDisposable
{
    // Bounds what is kept for spans that are not read any more: sequences grow out of theirs.
    private const int MostSpans = 32;

    private readonly Dictionary<(CacheSpan Span, ChainRange Chains), Layers> _spans = [];
    private readonly TensorList _owned = new();

    /// <summary>What some rows read of every layer.</summary>
    public Layers Of(CacheSpan span, ChainRange chains)
    {
        if (_spans.TryGetValue((span, chains), out var layers))
            return layers;
        if (_spans.Count == MostSpans)
            Clear();
        layers = new(
            [.. Enumerable.Range(0, config.LayerCount).Select(layer => View(layer, span, chains))],
            _owned.Keep(tensor([.. Enumerable.Range(0, span.KeyCount).Select(key => (long)key)], dtype: ScalarType.Int64, device: cache.Device)));
        _spans.Add((span, chains), layers);
        return layers;
    }

    /// <summary>Gives the views up, so that the cache's memory can go.</summary>
    public void Clear()
    {
        _spans.Clear();
        _owned.Dispose();
    }

    public void Dispose() => Clear();

    private Layer View(int layer, CacheSpan span, ChainRange chains)
    {
        using var scope = NewDisposeScope();
        var all = Enumerable.Range(chains.First, chains.Count);
        return new(
            [.. all.Where(chain => chain < config.KeyValueChains).Select(chain => cache.Pairs(layer, chain))],
            Read(cache.Keys), Read(cache.Values));

        Tensor[] Read(Func<int, int, Tensor> tensors)
        {
            Tensor[] own = [.. all.Select(config.KeyValueChain).Distinct().Select(chain => View(tensors(layer, chain), span))];
            return config.KvSharing ? [.. Enumerable.Repeat(own[0], chains.Count)] : own;
        }
    }

    private Tensor View(Tensor tensor, CacheSpan span)
    {
        var part = tensor.narrow(0, span.FirstSequence, span.SequenceCount).narrow(2, 0, span.KeyCount);
        var isShared = span.SequenceCount == 1 && !span.IsScattered;
        return _owned.Keep(isShared ? part.expand(span.RowCount, -1, -1, -1) : part);
    }

    /// <summary>All layers of the cache, for the chains of a range.</summary>
    /// <param name="All">Each layer.</param>
    /// <param name="KeyNumbers">[keys], Int64: 0, 1 and so on.</param>
    internal sealed record Layers(Layer[] All, Tensor KeyNumbers);

    /// <summary>A layer of the cache, for the chains of a range.</summary>
    /// <param name="Pairs">[sequences, capacity, 2, KV heads, d], of the chains that have keys of their own.</param>
    /// <param name="Keys">[rows or sequences, KV heads, keys, d], those that a chain reads.</param>
    /// <param name="Values">As <paramref name="Keys"/>.</param>
    internal sealed record Layer(Tensor[] Pairs, Tensor[] Keys, Tensor[] Values);
}
