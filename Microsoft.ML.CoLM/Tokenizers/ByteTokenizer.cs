using System.Text.Json;
using System.Text.Json.Nodes;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// The tokenizer of models that are trained from nothing: a token for each byte of UTF-8, one for a text's beginning
/// and one for its end. Every text has ids, and they give it back.
/// </summary>
internal static class ByteTokenizer
{
    /// <summary>The token ids are below this.</summary>
    public const int VocabularySize = 258;

    /// <summary>The id of the beginning-of-text token; below it, ids are bytes.</summary>
    public const int BeginningOfTextId = 256;

    /// <summary>The id of the end-of-text token.</summary>
    public const int EndOfTextId = 257;

    private const string BeginningOfText = "<|begin_of_text|>";
    private const string EndOfText = "<|end_of_text|>";

    /// <summary>Makes the files that describe it, which Hugging Face's tokenizers read, too.</summary>
    public static TokenizerFiles CreateFiles() => new(
    [
        new(TokenizerFiles.JsonName, Serialize(DescribeTokenizer())),
        new(TokenizerFiles.ConfigName, Serialize(DescribeConfig())),
    ]);

    private static byte[] Serialize(JsonObject description)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new() { Indented = true, NewLine = "\n" }))
            description.WriteTo(writer);
        return stream.ToArray();
    }

    private static JsonObject DescribeConfig() => new()
    {
        ["tokenizer_class"] = "PreTrainedTokenizerFast",
        ["bos_token"] = BeginningOfText,
        ["eos_token"] = EndOfText,
        ["clean_up_tokenization_spaces"] = false,
    };

    private static JsonObject DescribeTokenizer() => new()
    {
        ["version"] = "1.0",
        ["truncation"] = null,
        ["padding"] = null,
        ["added_tokens"] = new JsonArray(
            DescribeAddedToken(BeginningOfTextId, BeginningOfText), DescribeAddedToken(EndOfTextId, EndOfText)),
        ["normalizer"] = null,
        ["pre_tokenizer"] = DescribeByteLevel(),
        ["post_processor"] = new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray(DescribeBeginning(typeId: 0), DescribeText("A", typeId: 0)),
            ["pair"] = new JsonArray(
                DescribeBeginning(typeId: 0), DescribeText("A", typeId: 0),
                DescribeBeginning(typeId: 1), DescribeText("B", typeId: 1)),
            ["special_tokens"] = new JsonObject
            {
                [BeginningOfText] = new JsonObject
                {
                    ["id"] = BeginningOfText,
                    ["ids"] = new JsonArray(BeginningOfTextId),
                    ["tokens"] = new JsonArray(BeginningOfText),
                },
            },
        },
        ["decoder"] = DescribeByteLevel(),
        ["model"] = new JsonObject
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = null,
            ["continuing_subword_prefix"] = null,
            ["end_of_word_suffix"] = null,
            ["fuse_unk"] = false,
            ["byte_fallback"] = false,
            ["ignore_merges"] = false,
            ["vocab"] = new JsonObject(Enumerable.Range(0, BeginningOfTextId).Select(value =>
                KeyValuePair.Create<string, JsonNode?>(ByteAlphabet.Symbol((byte)value).ToString(), value))),
            ["merges"] = new JsonArray(),
        },
    };

    private static JsonObject DescribeAddedToken(int id, string content) => new()
    {
        ["id"] = id,
        ["content"] = content,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = true,
    };

    private static JsonObject DescribeByteLevel() => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = false,
        ["trim_offsets"] = true,
        // Without merges it makes no difference to the ids where a word ends.
        ["use_regex"] = false,
    };

    private static JsonObject DescribeBeginning(int typeId) => new()
    {
        ["SpecialToken"] = new JsonObject { ["id"] = BeginningOfText, ["type_id"] = typeId },
    };

    private static JsonObject DescribeText(string name, int typeId) => new()
    {
        ["Sequence"] = new JsonObject { ["id"] = name, ["type_id"] = typeId },
    };
}
