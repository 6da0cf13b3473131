using System.Text.Json;
using Microsoft.ML.CoLM.Text;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>
/// Reads and writes <c>config.json</c>: Hugging Face's LLaMA configuration of the first chain, and <c>"colm"</c>.
/// </summary>
/// <remarks>What this library does not compute is refused by name, never passed over.</remarks>
internal static partial class ConfigJson
{
    private const int FormatVersion = 1;

    // Far more than anybody trains; every chain is a file.
    private const int MaximumChains = 1000;

    private const string ModelType = "llama";
    private const string Architecture = "LlamaForCausalLM";
    private const string Activation = "silu";

    // The first is what is written. Early files spell it otherwise, and a model without its head is an ordinary one where
    // the head is the embedding, or among the files.
    private static readonly string[] Architectures = [Architecture, "LLaMAForCausalLM", "LlamaModel", Mistral];

    // Mistral's first models are LLaMAs but for a window of attention, which some of their files leave out.
    private const string Mistral = "MistralForCausalLM";

    // Two names of one function.
    private static readonly string[] Activations = [Activation, "swish"];

    // What LlamaConfig of transformers takes for settings that a file leaves out.
    private const double DefaultEpsilon = 1e-6;
    private const int DefaultBosTokenId = 1;
    private const int DefaultEosTokenId = 2;

    /// <param name="json">The file's text.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <param name="warnings">Gets what was passed over; null where nobody asks.</param>
    /// <exception cref="InvalidDataException">The file is no configuration that this library computes.</exception>
    public static CoLMConfig Read(string json, string source, List<string>? warnings = null)
    {
        using var document = Parse(json, source);
        var settings = new JsonSettings(document.RootElement, source);
        try
        {
            CheckArchitecture(settings);
            var (theta, scaling, contextLength) = RopeJson.Read(settings);
            var vocabularySize = settings.Integer("vocab_size");
            IdsOf(settings, "pad_token_id", [], vocabularySize, warnings);
            var (layout, kvSharing) = ReadChains(settings);
            return new CoLMConfig
            {
                Layout = layout,
                KvSharing = kvSharing,
                VocabularySize = vocabularySize,
                HiddenSize = settings.Integer("hidden_size"),
                IntermediateSize = settings.Integer("intermediate_size"),
                LayerCount = settings.Integer("num_hidden_layers"),
                KeyValueHeadCount = settings.OptionalInteger("num_key_value_heads"),
                HeadDimension = settings.OptionalInteger("head_dim"),
                ContextLength = contextLength,
                RmsNormEpsilon = settings.OptionalNumber("rms_norm_eps") ?? DefaultEpsilon,
                RopeTheta = theta,
                RopeScaling = scaling,
                TieWordEmbeddings = settings.OptionalBoolean("tie_word_embeddings") ?? false,
                BosTokenId = ReadBosTokenId(settings, vocabularySize, warnings),
                EosTokenIds = IdsOf(settings, "eos_token_id", [DefaultEosTokenId], vocabularySize, warnings),
                SourceJson = json,
            }.Validated();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // InvalidOperationException: a text with half a surrogate pair.
            throw new InvalidDataException($"{source}: {e.Message}", e);
        }
    }

    /// <summary>The type the weights were written in; Float32 where the file does not say.</summary>
    /// <exception cref="InvalidDataException">The type is not one that weights are read from.</exception>
    public static ScalarType ReadDataType(string json, string source)
    {
        using var document = Parse(json, source);
        var settings = new JsonSettings(document.RootElement, source);
        var name = DataTypeKeys.FirstOrDefault(settings.Has) ?? NewDataTypeKey;
        var text = settings.OptionalText(name) ?? DataTypeName(ScalarType.Float32);
        foreach (var type in (ReadOnlySpan<ScalarType>)[ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float16])
        {
            if (DataTypeName(type) == text)
                return type;
        }
        throw settings.Refuse(name, "float32, bfloat16 or float16", text);
    }

    /// <summary>A JSON object.</summary>
    /// <param name="json">The text.</param>
    /// <param name="source">Its file's name, for messages.</param>
    /// <exception cref="InvalidDataException">The text is none.</exception>
    public static JsonDocument Parse(string json, string source)
    {
        try
        {
            var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                return document;
            document.Dispose();
            throw new InvalidDataException($"{source}: must be a JSON object.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a name with half a surrogate pair.
            throw new InvalidDataException($"{source}: not valid JSON: {e.Message}", e);
        }
    }

    private static void CheckArchitecture(JsonSettings settings)
    {
        var modelType = settings.OptionalText("model_type");
        if (modelType != ModelType)
            throw settings.Refuse("model_type", $"\"{ModelType}\"", modelType);
        var architectures = settings.OptionalTexts("architectures");
        if (architectures is { Length: > 0 } && !architectures.Any(Architectures.Contains))
        {
            throw settings.Refuse("architectures", $"[\"{string.Join("\"] or [\"", Architectures)}\"]",
                string.Join(", ", architectures));
        }
        if (architectures?.Contains(Mistral) == true && settings.OptionalNumber("sliding_window") is { } window)
        {
            throw settings.Refuse("sliding_window", FormattableString.Invariant(
                $"is {window}, and attention that sees a window of the tokens alone is not supported"));
        }
        foreach (var bias in (ReadOnlySpan<string>)["attention_bias", "mlp_bias"])
        {
            if (settings.OptionalBoolean(bias) == true)
                throw settings.Refuse(bias, "is true, and layers with biases are not supported");
        }
        var activation = settings.OptionalText("hidden_act") ?? Activation;
        if (!Activations.Contains(activation))
            throw settings.Refuse("hidden_act", $"\"{string.Join("\" or \"", Activations)}\"", activation);
        if (settings.OptionalObject("quantization_config") is not null)
            throw settings.Refuse("quantization_config", "is set, and quantised weights are not supported");
    }

    private static int? ReadBosTokenId(JsonSettings settings, int vocabularySize, List<string>? warnings)
    {
        const string name = "bos_token_id";
        if (!settings.Has(name))
            return DefaultBosTokenId;
        return settings.OptionalInteger(name) is { } id
            && settings.WithinVocabulary(name, [id], vocabularySize, warnings) is [var within] ? within : null;
    }

    private static int[] IdsOf(
        JsonSettings settings, string name, int[] usual, int vocabularySize, List<string>? warnings) => settings.Has(name)
        ? settings.WithinVocabulary(name, settings.OptionalIntegers(name) ?? [], vocabularySize, warnings)
        : usual;

    private static (ChainLayout Layout, bool KvSharing) ReadChains(JsonSettings settings)
    {
        var firstHeads = settings.Integer("num_attention_heads");
        if (settings.OptionalObject("colm") is not { } colm)
            return (new ChainLayout(firstHeads), false);

        var version = colm.Integer("version");
        if (version != FormatVersion)
            throw colm.Refuse("version", $"{FormatVersion}, the one this library reads", version);
        var heads = colm.OptionalIntegers("chains") ?? throw colm.Refuse("chains", "is missing");
        if (heads.Length > MaximumChains)
            throw colm.Refuse("chains", $"names {heads.Length} chains; at most {MaximumChains} are read");
        if (heads.Length > 0 && heads[0] != firstHeads)
        {
            throw colm.Refuse("chains",
                $"begins with {heads[0]}, but the first chain's \"num_attention_heads\" is {firstHeads}");
        }
        var kvSharing = colm.OptionalBoolean("kv_sharing") ?? throw colm.Refuse("kv_sharing", "is missing");
        return (new ChainLayout(heads), kvSharing);
    }
}
