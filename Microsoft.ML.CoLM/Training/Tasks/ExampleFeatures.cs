using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>What a head reads of a batch of examples: gradients flow into the tuned chains alone.</summary>
/// <param name="model">The model.</param>
/// <param name="frozenChains">How many first chains run without gradients; 0 tunes all.</param>
/// <param name="examples">Token ids of each example.</param>
/// <param name="frozen">The frozen chains' features, or null to compute them with each batch.</param>
internal sealed class ExampleFeatures(
    CoLMModel model, int frozenChains, IReadOnlyList<int[]> examples, FrozenFeatures? frozen)
{
    public CoLMModel Model => model;

    /// <summary>
    /// Whether the tuned chains of a model need no token but the last: with KV sharing they read keys and values of the
    /// first chain, and of their own features only the token's own.
    /// </summary>
    /// <param name="config">The model.</param>
    /// <param name="frozenChains">How many first chains are not tuned.</param>
    /// <param name="pooling">What is read of a text's tokens.</param>
    public static bool NeedLastAlone(CoLMConfig config, int frozenChains, FeaturePooling pooling) =>
        config.KvSharing && frozenChains > 0 && pooling == FeaturePooling.LastToken;

    /// <summary>The examples' tokens beside each other.</summary>
    public PaddedBatch Batch(int[] chosen) => new(Array.ConvertAll(chosen, example => examples[example]));

    /// <summary>The normalised features of all chains at some positions.</summary>
    /// <param name="chosen">Which examples.</param>
    /// <param name="batch">The same, padded.</param>
    /// <param name="rows">[positions], Int64: which of the batch's rows.</param>
    /// <returns>[positions, D].</returns>
    public Tensor Rows(int[] chosen, PaddedBatch batch, Tensor rows)
    {
        using var scope = NewDisposeScope();
        var ids = batch.TokenIds(model.Device);
        using var prefix = Prefix(chosen, batch, ids);
        var tuned = model.Features(ids, new ChainRange(frozenChains, model.Config.ChainCount), prefix, lengths: batch.Lengths)
            .index_select(0, rows);
        return (prefix is null ? tuned : cat([prefix.HeadInput!.index_select(0, rows), tuned], dim: 1))
            .MoveToOuterDisposeScope();
    }

    /// <summary>The normalised features of all chains, one vector for each example, in float32.</summary>
    /// <param name="chosen">Which examples.</param>
    /// <param name="batch">The same, padded.</param>
    /// <param name="pooling">What becomes of an example's tokens.</param>
    /// <returns>[examples, D].</returns>
    public Tensor Pooled(int[] chosen, PaddedBatch batch, FeaturePooling pooling)
    {
        using var scope = NewDisposeScope();
        if (NeedLastAlone(model.Config, frozenChains, pooling))
            return Last(chosen, batch).to(float32).MoveToOuterDisposeScope();
        var ids = batch.TokenIds(model.Device);
        using var prefix = Prefix(chosen, batch, ids);
        var tuned = batch.Pool(model.Features(ids, new ChainRange(frozenChains, model.Config.ChainCount), prefix), pooling);
        return (prefix is null ? tuned : cat([batch.Pool(prefix.HeadInput!, pooling), tuned], dim: 1))
            .MoveToOuterDisposeScope();
    }

    private Tensor Last(int[] chosen, PaddedBatch batch)
    {
        using var prefix = frozen?.Of(chosen, batch) ?? LastPrefix(batch, batch.LastRows(model.Device));
        var tuned = model.LastFeatures(batch, new ChainRange(frozenChains, model.Config.ChainCount), prefix);
        return cat([prefix.HeadInput!, tuned], dim: 1);
    }

    private ChainFeatures LastPrefix(PaddedBatch batch, Tensor rows)
    {
        using var noGradients = no_grad();
        return model.Keep(batch.TokenIds(model.Device), frozenChains, rows, batch.Lengths);
    }

    private ChainFeatures? Prefix(int[] chosen, PaddedBatch batch, Tensor ids) => frozenChains == 0
        ? null
        : frozen?.Of(chosen, batch) ?? model.Prefix(ids, frozenChains, batch.Lengths);
}
