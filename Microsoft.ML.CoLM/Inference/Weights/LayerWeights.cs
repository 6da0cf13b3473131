using Microsoft.ML.CoLM.Modules;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>A decoder layer's weights, of each chain; with KV sharing the first chain alone has keys and values.</summary>
internal sealed class LayerWeights : IDisposable
{
    public LayerWeights(DecoderLayer layer, int chainCount)
    {
        AttentionNorm = Matrices(layer.AttentionNorm);
        Query = Matrices(layer.Attention.Query);
        Key = Matrices(layer.Attention.Key);
        Value = Matrices(layer.Attention.Value);
        Output = Matrices(layer.Attention.Output);
        FeedForwardNorm = Matrices(layer.FeedForwardNorm);
        Gate = Matrices(layer.FeedForward.Gate);
        Up = Matrices(layer.FeedForward.Up);
        Down = Matrices(layer.FeedForward.Down);

        WeightMatrix[] Matrices(ChainModule module) =>
            [.. Enumerable.Range(0, Math.Min(chainCount, module.ChainCount))
                .Select(chain => new WeightMatrix(module.Weight(chain)))];
    }

    public WeightMatrix[] AttentionNorm { get; }

    public WeightMatrix[] Query { get; }

    public WeightMatrix[] Key { get; }

    public WeightMatrix[] Value { get; }

    public WeightMatrix[] Output { get; }

    public WeightMatrix[] FeedForwardNorm { get; }

    public WeightMatrix[] Gate { get; }

    public WeightMatrix[] Up { get; }

    public WeightMatrix[] Down { get; }

    public void Dispose()
    {
        foreach (var matrices in new[] { AttentionNorm, Query, Key, Value, Output, FeedForwardNorm, Gate, Up, Down })
            Array.ForEach(matrices, matrix => matrix.Dispose());
    }
}
