using Microsoft.ML.CoLM.Chains;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>What each thread does when a range of chains is run for a few rows.</summary>
internal sealed class RangePlan
{
    public RangePlan(InferenceWeights weights, SlotBuffers slots, ChainRange chains, int threads)
    {
        Chains = chains;
        Heads = HeadGroup.Of(weights, chains);
        var config = weights.Config;
        List<int> own = [.. Enumerable.Range(chains.First, chains.Count)];
        KeyValueChains = [.. own.Where(chain => chain < config.KeyValueChains)];

        Layers = [.. weights.Layers.Select((layer, index) =>
        {
            var (input, hidden) = (slots.AttentionInput[index], slots.FeedForwardHidden[index]);
            var gates = Split(own, layer.Gate, slots.FeedForwardInput[index], slots.Hidden, slots.Gate,
                slots.Intermediate, weights.Columns.Intermediate);
            return new LayerPlan(
                ProductPiece.Split(
                [
                    .. Pieces(own, layer.Query, input, slots.Hidden, slots.Query, slots.Queries, weights.Columns.Queries),
                    .. Pieces(KeyValueChains, layer.Key, input, slots.Hidden, slots.Key, slots.KeyValues, weights.Columns.KeyValues),
                    .. Pieces(KeyValueChains, layer.Value, input, slots.Hidden, slots.Value, slots.KeyValues, weights.Columns.KeyValues),
                ], threads),
                ProductPiece.Split([.. Pieces(own, layer.Output, slots.AttentionOutput[index], slots.Queries,
                    slots.Residual, slots.Hidden, weights.Columns.Hidden, adds: true)], threads),
                gates,
                Split(own, layer.Up, slots.FeedForwardInput[index], slots.Hidden, slots.Up, slots.Intermediate,
                    weights.Columns.Intermediate),
                ProductPiece.Split([.. Pieces(own, layer.Down, hidden, slots.Intermediate, slots.Residual, slots.Hidden,
                    weights.Columns.Hidden, adds: true)], threads));
        })];
        // Each thread adds up its logits chain by chain, the same ones of every chain.
        var heads = own.Select(chain => ProductPiece.Split([new(weights.Head[chain], 0, slots.Vocabulary,
            slots.Normed + weights.Columns.Hidden[chain] * sizeof(float), slots.Hidden, slots.Logits, slots.Vocabulary,
            Adds: chain > 0)], threads)).ToArray();
        Head = [.. Enumerable.Range(0, threads).Select(thread => heads.SelectMany(chain => chain[thread]).ToArray())];

        ProductPiece[][] Split(List<int> chains, WeightMatrix[] matrices, nint x, int xStride, nint y, int yStride,
            int[] offsets) => ProductPiece.Split([.. Pieces(chains, matrices, x, xStride, y, yStride, offsets)], threads);
    }

    public ChainRange Chains { get; }

    /// <summary>Chains of the range with keys and values of their own.</summary>
    public List<int> KeyValueChains { get; }

    public HeadGroup[] Heads { get; }

    public LayerPlan[] Layers { get; }

    /// <summary>For each thread, its part of the logits.</summary>
    public ProductPiece[][] Head { get; }

    private static IEnumerable<ProductPiece> Pieces(List<int> chains, WeightMatrix[] matrices, nint x, int xStride,
        nint y, int yStride, int[] offsets, bool adds = false) =>
        chains.Select(chain => new ProductPiece(matrices[chain], 0, matrices[chain].Outputs, x, xStride,
            y + offsets[chain] * sizeof(float), yStride, adds));
}
