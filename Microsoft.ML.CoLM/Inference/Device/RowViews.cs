using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// Some slots' memory for a range of chains, as <see cref="LayerScript"/> works in it: a list has a view for each chain. Made
/// once for many passes, as making a view is a call, too.
/// </summary>
internal sealed class RowViews : IDisposable
{
    private readonly TensorList _owned = new();
    private readonly Sites[] _layers;

    /// <param name="buffers">The memory that layers take turns with.</param>
    /// <param name="store">The memory for features that later chains read.</param>
    /// <param name="config">The model.</param>
    /// <param name="columns">Its features.</param>
    /// <param name="first">The first slot.</param>
    /// <param name="count">How many.</param>
    /// <param name="chains">The chains.</param>
    public RowViews(
        RowBuffers buffers, FeatureStore store, CoLMConfig config, FeatureLayout columns, int first, int count, ChainRange chains)
    {
        using var scope = NewDisposeScope();
        long width = config.HeadWidth;
        int[] all = [.. Enumerable.Range(chains.First, chains.Count)];
        int[] writing = [.. all.Where(chain => chain < config.KeyValueChains)];

        AllResidual = _owned.Keep(Columns(buffers.Residual, columns.Hidden, chains.First, chains.End));
        Residual = _owned.Keep(all.Select(chain => Columns(buffers.Residual, columns.Hidden, chain, chain + 1)));
        Turns = _owned.Keep(Rows(buffers.Turns).view(count, width, width));
        AllTurns = _owned.Keep(Rows(buffers.Turns));
        Queries = _owned.Keep(all.Select(chain => Rows(buffers.Flat[chain]).narrow(1, 0, config.QueryWidth(chain))));
        Keys = _owned.Keep(writing.Select(chain => Rows(buffers.Flat[chain]).narrow(1, config.QueryWidth(chain), KeyWidth(chain))));
        Values = _owned.Keep(writing.Select(chain => Rows(buffers.Turned[chain])
            .narrow(1, config.QueryWidth(chain) + KeyWidth(chain), KeyWidth(chain))));
        Flat = _owned.Keep(all.Select(chain => Rows(buffers.Flat[chain]).view(count, -1, width)));
        Turned = _owned.Keep(all.Select(chain => Rows(buffers.Turned[chain]).narrow(1, 0, buffers.Flat[chain].size(1))
            .view(count, -1, width)));
        // [rows, KV heads, queries of one KV head, d]: queries that read one KV head stand where a sequence's tokens do.
        Heads = _owned.Keep(all.Select(chain => ByKeys(Rows(buffers.Turned[chain]).narrow(1, 0, config.QueryWidth(chain)), chain)));
        Pairs = _owned.Keep(writing.Select(chain => Rows(buffers.Turned[chain])
            .narrow(1, config.QueryWidth(chain), 2 * KeyWidth(chain)).view(count, 2, -1, width)));
        Ups = _owned.Keep(all.Select(chain => Columns(buffers.Ups, columns.Intermediate, chain, chain + 1)));
        AllUps = _owned.Keep(Columns(buffers.Ups, columns.Intermediate, chains.First, chains.End));

        // With one chain and nothing to keep, what was normalised is read where it is.
        var isCopied = config.ChainCount > 1 || store.KeepsLayers;
        _layers = [.. Enumerable.Range(0, store.KeepsLayers ? config.LayerCount : 1).Select(layer => new Sites(
            isCopied ? Own(layer, FeatureSite.AttentionInput, columns.Hidden) : [],
            isCopied ? Read(layer, FeatureSite.AttentionInput, columns.Hidden) : [],
            _owned.Keep(all.Select(chain =>
                ByKeys(Columns(store[layer, FeatureSite.AttentionOutput], columns.Queries, chain, chain + 1), chain))),
            Read(layer, FeatureSite.AttentionOutput, columns.Queries),
            isCopied ? Own(layer, FeatureSite.FeedForwardInput, columns.Hidden) : [],
            isCopied ? Read(layer, FeatureSite.FeedForwardInput, columns.Hidden) : [],
            Own(layer, FeatureSite.FeedForwardHidden, columns.Intermediate),
            _owned.Keep(Columns(store[layer, FeatureSite.FeedForwardHidden], columns.Intermediate, chains.First, chains.End)),
            Read(layer, FeatureSite.FeedForwardHidden, columns.Intermediate)))];

        long KeyWidth(int chain) => config.KeyValueHeads(chain) * width;

        Tensor Rows(Tensor tensor) => tensor.narrow(0, first, count);

        Tensor Columns(Tensor tensor, int[] offsets, int begin, int end) =>
            Rows(tensor).narrow(1, offsets[begin], offsets[end] - offsets[begin]);

        Tensor ByKeys(Tensor heads, int chain) =>
            heads.view(count, config.KeyValueHeads(config.KeyValueChain(chain)), -1, width);

        Tensor[] Own(int layer, FeatureSite site, int[] offsets) =>
            _owned.Keep(all.Select(chain => Columns(store[layer, site], offsets, chain, chain + 1)));

        Tensor[] Read(int layer, FeatureSite site, int[] offsets) =>
            _owned.Keep(all.Select(chain => Columns(store[layer, site], offsets, 0, chain + 1)));
    }

    /// <summary>[rows, D_i].</summary>
    public Tensor[] Residual { get; }

    /// <summary>[rows, width of the chains].</summary>
    public Tensor AllResidual { get; }

    /// <summary>[rows, d, d], what turns a row of features by its position.</summary>
    public Tensor Turns { get; }

    /// <summary>[rows, d · d].</summary>
    public Tensor AllTurns { get; }

    /// <summary>[rows, Q_i], not yet turned.</summary>
    public Tensor[] Queries { get; }

    /// <summary>[rows, K_i], not yet turned, of the chains that have keys of their own.</summary>
    public Tensor[] Keys { get; }

    /// <summary>[rows, K_i], beside the turned keys.</summary>
    public Tensor[] Values { get; }

    /// <summary>[rows, heads, d], queries and keys, not yet turned.</summary>
    public Tensor[] Flat { get; }

    /// <summary>[rows, heads, d], turned.</summary>
    public Tensor[] Turned { get; }

    /// <summary>[rows, KV heads, queries of one KV head, d], turned.</summary>
    public Tensor[] Heads { get; }

    /// <summary>[rows, 2, KV heads, d], keys and values as they are cached.</summary>
    public Tensor[] Pairs { get; }

    /// <summary>[rows, F_i].</summary>
    public Tensor[] Ups { get; }

    /// <summary>[rows, F of the chains].</summary>
    public Tensor AllUps { get; }

    /// <summary>What is of a layer alone.</summary>
    public Sites Layer(int layer) => _layers[_layers.Length == 1 ? 0 : layer];

    public void Dispose() => _owned.Dispose();

    /// <summary>The features of a layer that later chains read; what is read of them are those of all chains up to one.</summary>
    /// <param name="AttentionInputs">[rows, D_i]; none where nothing is kept.</param>
    /// <param name="AttentionRead">[rows, D_≤i].</param>
    /// <param name="Mixed">[rows, KV heads, queries of one KV head, d].</param>
    /// <param name="MixedRead">[rows, Q_≤i].</param>
    /// <param name="FeedForwardInputs">[rows, D_i]; none where nothing is kept.</param>
    /// <param name="FeedForwardRead">[rows, D_≤i].</param>
    /// <param name="Gates">[rows, F_i].</param>
    /// <param name="AllGates">[rows, F of the chains].</param>
    /// <param name="HiddenRead">[rows, F_≤i].</param>
    internal sealed record Sites(
        Tensor[] AttentionInputs, Tensor[] AttentionRead, Tensor[] Mixed, Tensor[] MixedRead, Tensor[] FeedForwardInputs,
        Tensor[] FeedForwardRead, Tensor[] Gates, Tensor AllGates, Tensor[] HiddenRead);
}
