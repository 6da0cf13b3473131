using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Checkpoints;

internal static partial class ConfigJson
{
    // Today's transformers prefer the first where both are there; the second is the one that earlier ones read, too.
    private static readonly string[] DataTypeKeys = ["dtype", NewDataTypeKey];

    private const string NewDataTypeKey = "torch_dtype";

    // As Python's json module writes it: two spaces, a line feed, and no escapes beyond what JSON needs.
    private static readonly JsonSerializerOptions Layout = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>
    /// The file's text. A configuration that was read keeps its text, but for the settings that have changed since.
    /// </summary>
    /// <param name="config">The architecture.</param>
    /// <param name="dtype">The type the weights are written in.</param>
    public static string Write(CoLMConfig config, ScalarType dtype)
    {
        if (config.SourceJson is not { } source)
            return WriteNew(config, dtype);

        const string name = "the model's config.json";
        var before = Read(source, name);
        var root = JsonNode.Parse(source)!.AsObject();
        var untouched = root.DeepClone();

        Set(root, "vocab_size", before.VocabularySize, config.VocabularySize);
        Set(root, "hidden_size", before.HiddenSize, config.HiddenSize);
        Set(root, "intermediate_size", before.IntermediateSize, config.IntermediateSize);
        Set(root, "num_hidden_layers", before.LayerCount, config.LayerCount);
        Set(root, "num_attention_heads", before.Layout.Heads[0], config.Layout.Heads[0]);
        Set(root, "num_key_value_heads", before.KeyValueHeadCount, config.KeyValueHeadCount);
        Set(root, "head_dim", before.HeadDimension, config.HeadDimension);
        Set(root, "max_position_embeddings", MaxPositions(before), MaxPositions(config));
        Set(root, "tie_word_embeddings", before.TieWordEmbeddings, config.TieWordEmbeddings);
        Set(root, "bos_token_id", before.BosTokenId, config.BosTokenId);
        if (before.RmsNormEpsilon != config.RmsNormEpsilon)
            root["rms_norm_eps"] = Number(config.RmsNormEpsilon);
        if (!before.EosTokenIds.SequenceEqual(config.EosTokenIds))
            root["eos_token_id"] = TokenIds(config.EosTokenIds);
        if (before.RopeTheta != config.RopeTheta || !Equals(before.RopeScaling, config.RopeScaling))
            RopeJson.Write(root, config);
        if (!before.Layout.Equals(config.Layout) || before.KvSharing != config.KvSharing ||
            !before.WeightFormats.SequenceEqual(config.WeightFormats))
        {
            WriteChains(root, config);
        }
        WriteDataType(root, dtype);

        return JsonNode.DeepEquals(root, untouched) ? source : root.ToJsonString(Layout);
    }

    /// <summary>A number that readers which tell 1 from 1.0 take for a floating-point one.</summary>
    internal static JsonNode Number(double value)
    {
        var text = value.ToString("R", CultureInfo.InvariantCulture);
        return JsonNode.Parse(text.AsSpan().IndexOfAny(".E") < 0 ? text + ".0" : text)!;
    }

    private static int MaxPositions(CoLMConfig config) =>
        config.RopeScaling?.MaxPositionsOf(config.ContextLength) ?? config.ContextLength;

    private static string WriteNew(CoLMConfig config, ScalarType dtype)
    {
        var root = new JsonObject
        {
            ["architectures"] = new JsonArray(Architecture),
            ["attention_bias"] = false,
            ["bos_token_id"] = config.BosTokenId,
            ["eos_token_id"] = TokenIds(config.EosTokenIds),
            ["head_dim"] = config.HeadWidth,
            ["hidden_act"] = Activation,
            ["hidden_size"] = config.HiddenSize,
            ["intermediate_size"] = config.IntermediateSize,
            ["max_position_embeddings"] = MaxPositions(config),
            ["mlp_bias"] = false,
            ["model_type"] = ModelType,
            ["num_attention_heads"] = config.Layout.Heads[0],
            ["num_hidden_layers"] = config.LayerCount,
            ["num_key_value_heads"] = config.KeyValueHeads(0),
            ["rms_norm_eps"] = Number(config.RmsNormEpsilon),
            ["tie_word_embeddings"] = config.TieWordEmbeddings,
            [NewDataTypeKey] = DataTypeName(dtype),
            ["vocab_size"] = config.VocabularySize,
        };
        RopeJson.Write(root, config);
        WriteChains(root, config);
        return root.ToJsonString(Layout) + "\n";
    }

    private static void Set<T>(JsonObject root, string name, T before, T now)
    {
        if (!EqualityComparer<T>.Default.Equals(before, now))
            root[name] = JsonValue.Create(now);
    }

    // An ordinary LLaMA stays one: it gets no "colm" unless it had one.
    private static void WriteChains(JsonObject root, CoLMConfig config)
    {
        var formats = config.WeightFormats;
        var isQuantised = formats.Any(format => format is not null);
        if (root["colm"] is not JsonObject colm)
        {
            if (config is { ChainCount: 1, KvSharing: false } && !isQuantised)
                return;
            root["colm"] = colm = [];
        }
        colm["version"] = isQuantised ? QuantisedVersion : FormatVersion;
        colm["chains"] = Integers(config.Layout.Heads);
        colm["kv_sharing"] = config.KvSharing;
        colm.Remove(WeightFormatsKey);
        if (isQuantised)
            colm[WeightFormatsKey] = new JsonArray([.. formats.Select(format => format is { } own ? (JsonNode)NameOf(own) : null)]);
    }

    private static void WriteDataType(JsonObject root, ScalarType dtype)
    {
        var text = DataTypeName(dtype);
        var present = DataTypeKeys.Where(root.ContainsKey).ToList();
        if (present.Count == 0 && dtype != ScalarType.Float32)
            present.Add(NewDataTypeKey);
        foreach (var key in present)
            root[key] = text;
    }

    private static string DataTypeName(ScalarType type) => type switch
    {
        ScalarType.Float32 => "float32",
        ScalarType.BFloat16 => "bfloat16",
        ScalarType.Float16 => "float16",
        _ => throw new NotSupportedException($"Weights are stored as Float32, BFloat16 or Float16, not as {type}."),
    };

    private static JsonNode? TokenIds(IReadOnlyList<int> ids) => ids.Count switch
    {
        0 => null,
        1 => ids[0],
        _ => Integers(ids),
    };

    private static JsonArray Integers(IEnumerable<int> numbers) =>
        new([.. numbers.Select(number => (JsonNode)number)]);
}
