using Microsoft.ML.CoLM.Chains;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>What each thread does when a range of chains is run for a few rows.</summary>
internal sealed class RangePlan
{
    public RangePlan(InferenceWeights weights, SlotBuffers slots, ChainRange chains, int threads)
    {
        Chains = chains;
        Heads = HeadGroup.Of(weights, chains);
        List<int> own = [.. Enumerable.Range(chains.First, chains.Count)];
        List<int> keyValueChains = [.. own.Where(chain => chain < weights.Config.KeyValueChains)];

        Layers = [.. weights.Layers.Select((layer, index) =>
        {
            return new LayerPlan(
                Split(
                [
                    .. Normed(own, layer.Query, slots.Query, slots.Queries, weights.Columns.Queries),
                    .. Normed(keyValueChains, layer.Key, slots.Key, slots.KeyValues, weights.Columns.KeyValues),
                    .. Normed(keyValueChains, layer.Value, slots.Value, slots.KeyValues, weights.Columns.KeyValues),
                ]),
                ProductPiece.Split([.. Pieces(own, layer.Output, slots.AttentionOutput[index], slots.Queries,
                    slots.Residual, slots.Hidden, weights.Columns.Hidden, adds: true)], threads),
                Split(Normed(own, layer.Gate, slots.Gate, slots.Intermediate, weights.Columns.Intermediate)),
                Split(Normed(own, layer.Up, slots.Up, slots.Intermediate, weights.Columns.Intermediate)),
                ProductPiece.Split([.. Pieces(own, layer.Down, slots.FeedForwardHidden[index], slots.Intermediate,
                    slots.Residual, slots.Hidden, weights.Columns.Hidden, adds: true)], threads));
        })];
        // Each thread adds up its logits chain by chain, the same ones of every chain.
        var heads = own.Select(chain => Split([new(weights.Head[chain], 0, slots.Vocabulary,
            weights.Columns.Hidden[chain] * sizeof(float), slots.Hidden, slots.Logits, slots.Vocabulary,
            Adds: chain > 0)])).ToArray();
        Head = [.. Enumerable.Range(0, threads).Select(thread => heads.SelectMany(chain => chain[thread]).ToArray())];
        Weights = Layers.Sum(layer => layer.Weights) + ProductPiece.Weights(Head);
        NumbersPerPosition = 2L * weights.Config.HeadWidth * Heads.Length * Layers.Length;

        IEnumerable<ProductPiece> Normed(
            List<int> chains, WeightMatrix[] matrices, nint y, int yStride, int[] offsets) =>
            Pieces(chains, matrices, x: 0, slots.Hidden, y, yStride, offsets);

        // Each thread has normalised features of its own.
        ProductPiece[][] Split(IEnumerable<ProductPiece> pieces) =>
            [.. ProductPiece.Split([.. pieces], threads).Select((share, thread) =>
                Array.ConvertAll(share, piece => piece with { X = slots.Normed[thread] + piece.X }))];
    }

    public ChainRange Chains { get; }

    public HeadGroup[] Heads { get; }

    public LayerPlan[] Layers { get; }

    /// <summary>For each thread, its part of the logits.</summary>
    public ProductPiece[][] Head { get; }

    /// <summary>How many weights are read.</summary>
    public long Weights { get; }

    /// <summary>Keys and values that are read of each position of a sequence.</summary>
    public long NumbersPerPosition { get; }

    /// <summary>How often threads wait for each other.</summary>
    public int Meetings => 2 + LayerPlan.Meetings * Layers.Length;

    private static IEnumerable<ProductPiece> Pieces(List<int> chains, WeightMatrix[] matrices, nint x, int xStride,
        nint y, int yStride, int[] offsets, bool adds = false) =>
        chains.Select(chain => new ProductPiece(matrices[chain], 0, matrices[chain].Outputs, x, xStride,
            y + offsets[chain] * sizeof(float), yStride, adds));
}
