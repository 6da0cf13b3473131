using Microsoft.ML.CoLM.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>
/// The tensors of one chain's file: Hugging Face's names, and the shapes that the architecture gives them.
/// </summary>
internal static class ChainTensors
{
    public const string Embedding = "model.embed_tokens.weight";

    /// <summary>
    /// What the chain's file must hold. One at a time, so that a configuration of a billion layers is refused at the
    /// first that the file lacks.
    /// </summary>
    public static IEnumerable<TensorSpec> Of(CoLMConfig config, int chain)
    {
        var upTo = Enumerable.Range(0, chain + 1).ToArray();
        long vocabulary = config.VocabularySize, hidden = config.Hidden(chain);
        long intermediate = config.Intermediate(chain);
        var hiddenUpTo = upTo.Sum(i => (long)config.Hidden(i));
        var intermediateUpTo = upTo.Sum(i => (long)config.Intermediate(i));
        var queriesUpTo = upTo.Sum(i => (long)config.QueryWidth(i));

        yield return new(Embedding, [vocabulary, hidden]);
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            var prefix = $"model.layers.{layer}.";
            yield return new(prefix + "input_layernorm.weight", [hidden]);
            yield return new(prefix + "self_attn.q_proj.weight", [config.QueryWidth(chain), hiddenUpTo]);
            if (chain == 0 || !config.KvSharing)
            {
                var keys = (long)config.KeyValueHeads(chain) * config.HeadWidth;
                yield return new(prefix + "self_attn.k_proj.weight", [keys, hiddenUpTo]);
                yield return new(prefix + "self_attn.v_proj.weight", [keys, hiddenUpTo]);
            }
            yield return new(prefix + "self_attn.o_proj.weight", [hidden, queriesUpTo]);
            yield return new(prefix + "post_attention_layernorm.weight", [hidden]);
            yield return new(prefix + "mlp.gate_proj.weight", [intermediate, hiddenUpTo]);
            yield return new(prefix + "mlp.up_proj.weight", [intermediate, hiddenUpTo]);
            yield return new(prefix + "mlp.down_proj.weight", [hidden, intermediateUpTo]);
        }
        yield return new("model.norm.weight", [hidden]);
        if (chain > 0 || !config.TieWordEmbeddings)
            yield return new("lm_head.weight", [vocabulary, hidden]);
    }

    /// <summary>A model's parameters of one chain, by their names in the chain's file.</summary>
    public static Dictionary<string, Tensor> ParametersOf(CoLMModel model, int chain)
    {
        var parameters = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, parameter) in model.ChainParameters())
        {
            var (module, owner) = ParameterName.Parse(name);
            if (owner == chain)
                parameters.Add(module == ParameterName.Head ? $"{module}.weight" : $"model.{module}.weight", parameter);
        }
        return parameters;
    }
}
