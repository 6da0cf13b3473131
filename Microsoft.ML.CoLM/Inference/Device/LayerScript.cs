using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// A decoder layer for a few rows as one call of libtorch: a TorchScript function, since what a GPU waits for is the program that
/// launches small kernels, and since TorchSharp binds neither <c>rms_norm</c> nor products into memory that is there.
/// </summary>
/// <remarks>Safe for several threads.</remarks>
internal static class LayerScript
{
    private const string LayerName = "decoder_layer";
    private const string NormName = "normalise";

    // A list has a tensor for each chain of the range. What a later chain reads of earlier ones lies beside its own.
    private const string Source =
        """
        def normalised(x: List[Tensor], weights: List[Tensor], epsilon: float, own: List[Tensor], read: List[Tensor]) -> List[Tensor]:
            result = [torch.rms_norm(x[i], [x[i].size(1)], weights[i], epsilon) for i in range(len(x))]
            if len(own) == 0:
                return result
            for i in range(len(x)):
                own[i].copy_(result[i])
            return read

        def normalise(epsilon: float, weights: List[Tensor], x: List[Tensor]) -> None:
            normalised(x, weights, epsilon, x, x)

        def decoder_layer(
            epsilon: float, attention_norm: List[Tensor], query: List[Tensor], key: List[Tensor], value: List[Tensor],
            output: List[Tensor], feed_forward_norm: List[Tensor], gate: List[Tensor], up: List[Tensor], down: List[Tensor],
            x: List[Tensor], queries: List[Tensor], keys: List[Tensor], values: List[Tensor],
            flat: List[Tensor], turns: Tensor, turned: List[Tensor], heads: List[Tensor], pairs: List[Tensor],
            ups: List[Tensor], all_ups: Tensor,
            attention_inputs: List[Tensor], attention_read: List[Tensor], mixed: List[Tensor], mixed_read: List[Tensor],
            feed_forward_inputs: List[Tensor], feed_forward_read: List[Tensor],
            gates: List[Tensor], all_gates: Tensor, hidden_read: List[Tensor],
            cache: List[Tensor], cached_keys: List[Tensor], cached_values: List[Tensor],
            sequences: Tensor, positions: Tensor, mask: Tensor, chosen: Optional[Tensor]) -> None:
            n = normalised(x, attention_norm, epsilon, attention_inputs, attention_read)
            for i in range(len(x)):
                torch.mm(n[i], query[i], out=queries[i])
                if i < len(key):
                    torch.mm(n[i], key[i], out=keys[i])
                    torch.mm(n[i], value[i], out=values[i])
                torch.bmm(flat[i], turns, out=turned[i])
                if i < len(key):
                    cache[i].index_put_([sequences, positions], pairs[i])
                all_keys = cached_keys[i]
                all_values = cached_values[i]
                if chosen is not None:
                    all_keys = all_keys.index_select(0, chosen)
                    all_values = all_values.index_select(0, chosen)
                mixed[i].copy_(torch.scaled_dot_product_attention(heads[i], all_keys, all_values, mask))
            for i in range(len(x)):
                x[i].addmm_(mixed_read[i], output[i])

            n = normalised(x, feed_forward_norm, epsilon, feed_forward_inputs, feed_forward_read)
            for i in range(len(x)):
                torch.mm(n[i], gate[i], out=gates[i])
                torch.mm(n[i], up[i], out=ups[i])
            torch.silu_(all_gates)
            all_gates.mul_(all_ups)
            for i in range(len(x)):
                x[i].addmm_(hidden_read[i], down[i])

        """;

    private static readonly Lazy<jit.CompilationUnit> Unit = new(() => jit.compile(Source));

    /// <summary>Adds a layer to the rows' residual stream, and their keys and values to the cache.</summary>
    /// <param name="epsilon">RMSNorm's ε.</param>
    /// <param name="weights">The layer's.</param>
    /// <param name="rows">The rows' memory.</param>
    /// <param name="layer">The layer's part of it.</param>
    /// <param name="cached">What is cached of the layer.</param>
    /// <param name="places">Where the rows stand.</param>
    public static void Run(
        Scalar epsilon, ScriptWeights weights, RowViews rows, RowViews.Sites layer, CacheViews.Layer cached, RowPlaces places) =>
        Unit.Value.invoke(LayerName,
            epsilon, weights.AttentionNorm, weights.Query, weights.Key, weights.Value, weights.Output, weights.FeedForwardNorm,
            weights.Gate, weights.Up, weights.Down,
            rows.Residual, rows.Queries, rows.Keys, rows.Values, rows.Flat, rows.Turns, rows.Turned, rows.Heads, rows.Pairs,
            rows.Ups, rows.AllUps,
            layer.AttentionInputs, layer.AttentionRead, layer.Mixed, layer.MixedRead, layer.FeedForwardInputs,
            layer.FeedForwardRead, layer.Gates, layer.AllGates, layer.HiddenRead,
            cached.Pairs, cached.Keys, cached.Values, places.Sequences, places.Positions, places.Mask, places.Chosen!);

    /// <summary>Replaces the residual stream by what the head reads.</summary>
    /// <param name="epsilon">RMSNorm's ε.</param>
    /// <param name="weights">The last norm's, of each chain.</param>
    /// <param name="rows">The rows' memory.</param>
    public static void Normalise(Scalar epsilon, Tensor[] weights, RowViews rows) =>
        Unit.Value.invoke(NormName, epsilon, weights, rows.Residual);
}
