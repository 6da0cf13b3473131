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

    // Of folders with quantised chains, which earlier versions of this library cannot read.
    private const int QuantisedVersion = 2;
    private const string WeightFormatsKey = "weight_formats";

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
        var settings = JsonField.Settings(document.RootElement, source);
        try
        {
            CheckArchitecture(settings);
            var (theta, scaling, contextLength) = RopeJson.Read(settings);
            var vocabularySize = settings["vocab_size"].Integer;
            IdsOf(settings, "pad_token_id", [], vocabularySize, warnings);
            var (layout, kvSharing, formats) = ReadChains(settings);
            return new CoLMConfig
            {
                Layout = layout,
                KvSharing = kvSharing,
                WeightFormats = formats,
                VocabularySize = vocabularySize,
                HiddenSize = settings["hidden_size"].Integer,
                IntermediateSize = settings["intermediate_size"].Integer,
                LayerCount = settings["num_hidden_layers"].Integer,
                KeyValueHeadCount = settings["num_key_value_heads"].IntegerOrNull,
                HeadDimension = settings["head_dim"].IntegerOrNull,
                ContextLength = contextLength,
                RmsNormEpsilon = settings["rms_norm_eps"].NumberOrNull ?? DefaultEpsilon,
                RopeTheta = theta,
                RopeScaling = scaling,
                TieWordEmbeddings = settings["tie_word_embeddings"].FlagOrNull ?? false,
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
        var settings = JsonField.Settings(document.RootElement, source);
        var name = DataTypeKeys.FirstOrDefault(key => settings[key].IsThere) ?? NewDataTypeKey;
        var text = settings[name].TextOrNull ?? DataTypeName(ScalarType.Float32);
        foreach (var type in (ReadOnlySpan<ScalarType>)[ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float16])
        {
            if (DataTypeName(type) == text)
                return type;
        }
        throw settings[name].Refuse("float32, bfloat16 or float16", text);
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

    private static void CheckArchitecture(JsonField settings)
    {
        var modelType = settings["model_type"].TextOrNull;
        if (modelType != ModelType)
            throw settings["model_type"].Refuse($"\"{ModelType}\"", modelType);
        var architectures = settings["architectures"].TextsOrNull;
        if (architectures is { Length: > 0 } && !architectures.Any(Architectures.Contains))
        {
            throw settings["architectures"].Refuse($"[\"{string.Join("\"] or [\"", Architectures)}\"]",
                string.Join(", ", architectures));
        }
        if (architectures?.Contains(Mistral) == true && settings["sliding_window"].NumberOrNull is { } window)
        {
            throw settings["sliding_window"].RefuseAs(FormattableString.Invariant(
                $"is {window}, and attention that sees a window of the tokens alone is not supported"));
        }
        foreach (var bias in (ReadOnlySpan<string>)["attention_bias", "mlp_bias"])
        {
            if (settings[bias].FlagOrNull == true)
                throw settings[bias].RefuseAs("is true, and layers with biases are not supported");
        }
        var activation = settings["hidden_act"].TextOrNull ?? Activation;
        if (!Activations.Contains(activation))
            throw settings["hidden_act"].Refuse($"\"{string.Join("\" or \"", Activations)}\"", activation);
        if (settings["quantization_config"].ObjectOrNull is not null)
            throw settings["quantization_config"].RefuseAs("is set, and quantised weights are not supported");
    }

    private static int? ReadBosTokenId(JsonField settings, int vocabularySize, List<string>? warnings)
    {
        const string name = "bos_token_id";
        if (!settings[name].IsThere)
            return DefaultBosTokenId;
        return settings[name].IntegerOrNull is { } id
            && settings[name].WithinVocabulary([id], vocabularySize, warnings) is [var within] ? within : null;
    }

    private static int[] IdsOf(
        JsonField settings, string name, int[] usual, int vocabularySize, List<string>? warnings) => settings[name].IsThere
        ? settings[name].WithinVocabulary(settings[name].IntegersOrNull ?? [], vocabularySize, warnings)
        : usual;

    private static (ChainLayout Layout, bool KvSharing, WeightFormat?[] Formats) ReadChains(JsonField settings)
    {
        var firstHeads = settings["num_attention_heads"].Integer;
        if (settings["colm"].ObjectOrNull is not { } colm)
            return (new ChainLayout(firstHeads), false, []);

        var version = colm["version"].Integer;
        if (version is not (FormatVersion or QuantisedVersion))
            throw colm["version"].Refuse($"{FormatVersion} or {QuantisedVersion}, the ones this library reads", version);
        var heads = colm["chains"].IntegersOrNull ?? throw colm["chains"].RefuseAs("is missing");
        if (heads.Length > MaximumChains)
            throw colm["chains"].RefuseAs($"names {heads.Length} chains; at most {MaximumChains} are read");
        if (heads.Length > 0 && heads[0] != firstHeads)
        {
            throw colm["chains"].RefuseAs(
                $"begins with {heads[0]}, but the first chain's \"num_attention_heads\" is {firstHeads}");
        }
        var kvSharing = colm["kv_sharing"].FlagOrNull ?? throw colm["kv_sharing"].RefuseAs("is missing");
        return (new ChainLayout(heads), kvSharing, ReadFormats(colm, version, heads.Length));
    }

    private static WeightFormat?[] ReadFormats(JsonField colm, int version, int chains)
    {
        var field = colm[WeightFormatsKey];
        if (version == FormatVersion)
        {
            return field.IsMissing ? [] : throw field.RefuseAs($"is for \"version\" {QuantisedVersion}, found {FormatVersion}");
        }
        var formats = field.Items;
        if (formats.Count != chains)
            throw field.RefuseAs($"must name a format, or null, for each of the {chains} chains of \"version\" {QuantisedVersion}; found {formats.Count}");
        return [.. formats.Select(format => format.IsMissing ? (WeightFormat?)null
            : Enum.GetValues<WeightFormat>().Cast<WeightFormat?>().FirstOrDefault(known => NameOf(known!.Value) == format.Text)
                ?? throw format.Refuse($"\"{string.Join("\", \"", Enum.GetValues<WeightFormat>().Select(NameOf))}\" or null", format.Text))];
    }

    private static string NameOf(WeightFormat format) => format == WeightFormat.Int8 ? "int8" : "int4";
}
