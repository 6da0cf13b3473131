using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

/// <summary>Tokenizers and texts that need no files.</summary>
internal static class TestTokenizers
{
    /// <summary>Llama 3's expression for words.</summary>
    public const string Llama3Pattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" +
        @"\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>The byte tokenizer's tokenizer.json after a change.</summary>
    public static TokenizerFiles Json(Action<JsonObject> change)
    {
        JsonObject json = JsonNode.Parse(ByteTokenizer.CreateFiles().Files[0].Value)!.AsObject();
        change(json);
        return Files(TokenizerFiles.JsonName, System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()));
    }

    /// <summary>A tokenizer of one file.</summary>
    public static TokenizerFiles Files(string name, byte[] content) => new([new(name, content)]);

    /// <summary>Adds merges, with the tokens that they make, in the order of their ranks.</summary>
    public static void AddMerges(JsonObject json, params string[] merges)
    {
        foreach (string merge in merges)
        {
            json["model"]!["vocab"]![merge.Replace(" ", "", StringComparison.Ordinal)] ??= NextId(json);
            json["model"]!["merges"]!.AsArray().Add(merge);
        }
    }

    /// <summary>Adds a token that is recognised in the text as it stands.</summary>
    /// <returns>Its id.</returns>
    public static int AddToken(JsonObject json, string content, bool special)
    {
        int id = NextId(json);
        json["added_tokens"]!.AsArray().Add(
            new JsonObject { ["id"] = id, ["content"] = content, ["special"] = special });
        return id;
    }

    /// <summary>Words end where Llama 3's do.</summary>
    public static void UseLlama3Words(JsonObject json) => json["pre_tokenizer"] = new JsonObject
    {
        ["type"] = "Sequence",
        ["pretokenizers"] = new JsonArray(Split(Llama3Pattern), ByteLevel(useRegex: false)),
    };

    public static JsonObject Split(string pattern) => new()
    {
        ["type"] = "Split",
        ["pattern"] = new JsonObject { ["Regex"] = pattern },
        ["behavior"] = "Isolated",
        ["invert"] = false,
    };

    public static JsonObject ByteLevel(bool useRegex) => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = false,
        ["trim_offsets"] = true,
        ["use_regex"] = useRegex,
    };

    /// <summary>The names of a text's tokens.</summary>
    public static string[] Names(this Tokenizer tokenizer, string text) =>
        [.. tokenizer.EncodeToTokens(text, out _).Select(token => token.Value)];

    /// <summary>A text of any characters, or of few that repeat.</summary>
    public static string RandomText(Random random, int length, string? alphabet = null)
    {
        var text = new System.Text.StringBuilder();
        while (text.Length < length)
        {
            if (alphabet is not null)
                text.Append(alphabet[random.Next(alphabet.Length)]);
            else if (System.Text.Rune.TryCreate(random.Next(random.Next(2) == 0 ? 0x250 : 0x110000), out var rune))
                text.Append(rune.ToString());
        }
        return text.ToString();
    }

    private static int NextId(JsonObject json) =>
        json["model"]!["vocab"]!.AsObject().Count + json["added_tokens"]!.AsArray().Count;
}
