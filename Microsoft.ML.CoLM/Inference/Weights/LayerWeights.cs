using Microsoft.ML.CoLM.Modules;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>A decoder layer's weights, of each chain; with KV sharing the first chain alone has keys and values.</summary>
internal sealed class LayerWeights(DecoderLayer layer, bool rounds)
{
    public NormWeight[] AttentionNorm { get; } = InferenceWeights.Norms(layer.AttentionNorm);

    public WeightMatrix[] Query { get; } = InferenceWeights.Matrices(layer.Attention.Query, rounds);

    public WeightMatrix[] Key { get; } = InferenceWeights.Matrices(layer.Attention.Key, rounds);

    public WeightMatrix[] Value { get; } = InferenceWeights.Matrices(layer.Attention.Value, rounds);

    public WeightMatrix[] Output { get; } = InferenceWeights.Matrices(layer.Attention.Output, rounds);

    public NormWeight[] FeedForwardNorm { get; } = InferenceWeights.Norms(layer.FeedForwardNorm);

    public WeightMatrix[] Gate { get; } = InferenceWeights.Matrices(layer.FeedForward.Gate, rounds);

    public WeightMatrix[] Up { get; } = InferenceWeights.Matrices(layer.FeedForward.Up, rounds);

    public WeightMatrix[] Down { get; } = InferenceWeights.Matrices(layer.FeedForward.Down, rounds);

    /// <summary>Its matrices, and the modules that they are the weights of.</summary>
    public IEnumerable<(WeightMatrix[] Matrices, ChainModule Module)> Products =>
    [
        (Query, layer.Attention.Query), (Key, layer.Attention.Key), (Value, layer.Attention.Value),
        (Output, layer.Attention.Output), (Gate, layer.FeedForward.Gate), (Up, layer.FeedForward.Up),
        (Down, layer.FeedForward.Down),
    ];

    /// <summary>Its norms, and the modules that they are the weights of.</summary>
    public IEnumerable<(NormWeight[] Norms, ChainModule Module)> Norms =>
        [(AttentionNorm, layer.AttentionNorm), (FeedForwardNorm, layer.FeedForwardNorm)];
}
