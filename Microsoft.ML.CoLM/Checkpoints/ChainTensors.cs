using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>
/// The tensors of one chain's file: Hugging Face's names, and the shapes that the architecture gives them.
/// </summary>
internal static class ChainTensors
{
    public const string Embedding = BaseModel + "embed_tokens.weight";
    private const string Head = "lm_head.weight";
    private const string Norm = BaseModel + "norm.weight";

    /// <summary>What follows the name of quantised weights' codes in the name of their scales.</summary>
    public const string ScaleSuffix = "_scale";

    // The modules below the head; files of a model without one leave it out.
    private const string BaseModel = "model.";

    /// <summary>The first chain's embedding. Some files of models that are tied kept it as the head alone.</summary>
    public static TensorSpec EmbeddingOf(CoLMConfig config)
    {
        string[] others = config.TieWordEmbeddings ? [Embedding[BaseModel.Length..], Head] : [Embedding[BaseModel.Length..]];
        return new(Embedding, [config.VocabularySize, config.HiddenSize], others);
    }

    /// <summary>What tells the type of the first chain's features: its embedding, or where that is quantised, its last norm.</summary>
    public static TensorSpec FeaturesOf(CoLMConfig config) =>
        config.WeightFormats[0] is null ? EmbeddingOf(config) : new(Norm, [config.HiddenSize]);

    /// <summary>The first chain's head.</summary>
    public static TensorSpec HeadOf(CoLMConfig config) => new(Head, [config.VocabularySize, config.HiddenSize]);

    /// <summary>
    /// What the chain's file must hold. One at a time, so that a configuration of a billion layers is refused at the
    /// first that the file lacks. The first chain's comes from other tools, which name tensors in more than one way.
    /// </summary>
    public static IEnumerable<TensorSpec> Of(CoLMConfig config, int chain) => config.WeightFormats[chain] is { } format
        ? Named(config, chain).Select(tensor => tensor.Shape.Length == 1 ? tensor : tensor with { Format = format })
        : chain > 0 ? Named(config, chain) : Named(config, chain).Select(tensor => tensor.Name switch
        {
            Embedding => EmbeddingOf(config),
            Head => HeadOf(config),
            var name => tensor with { OtherNames = [name[BaseModel.Length..]] },
        });

    /// <summary>A model's parameters of one chain, by their names in the chain's file.</summary>
    public static Dictionary<string, Tensor> ParametersOf(CoLMModel model, int chain)
    {
        var parameters = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, parameter) in model.ChainParameters())
        {
            var (module, owner) = ParameterName.Parse(name);
            if (owner == chain)
                parameters.Add(NameOf(module) + (name.EndsWith($".{ParameterName.Scales}", StringComparison.Ordinal) ? ScaleSuffix : ""), parameter);
        }
        return parameters;
    }

    /// <summary>A model's quantised matrices of one chain, by their names in the chain's file.</summary>
    public static Dictionary<string, PackedParameters> PackedOf(CoLMModel model, int chain)
    {
        var packed = new Dictionary<string, PackedParameters>(StringComparer.Ordinal);
        foreach (var (name, module) in model.ChainModules())
        {
            if (chain < module.ChainCount && module.Packed(chain) is { } parameters)
                packed.Add(NameOf(name), parameters);
        }
        return packed;
    }

    private static string NameOf(string module) => module == ParameterName.Head ? $"{module}.weight" : $"{BaseModel}{module}.weight";

    private static IEnumerable<TensorSpec> Named(CoLMConfig config, int chain)
    {
        var features = new FeatureLayout(config);
        long vocabulary = config.VocabularySize, hidden = config.Hidden(chain);
        long intermediate = config.Intermediate(chain);
        long hiddenUpTo = features.Hidden[chain + 1], intermediateUpTo = features.Intermediate[chain + 1];
        long queriesUpTo = features.Queries[chain + 1];

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
        yield return new(Norm, [hidden]);
        if (chain > 0 || !config.TieWordEmbeddings)
            yield return new(Head, [vocabulary, hidden]);
    }
}
