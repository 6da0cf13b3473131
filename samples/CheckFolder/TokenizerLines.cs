using System.Text.Json;
using Microsoft.ML.CoLM;

namespace CheckFolder;

/// <summary>What a report says of the tokenizer.</summary>
internal static class TokenizerLines
{
    private const string Example = "Hello";
    private const int MostSpecialTokens = 12;

    private static readonly string[] Kinds = ["tokenizer.json", "tokenizer.model"];

    public static IEnumerable<(string Name, string Text)> Of(CoLMModelInfo info, string folder)
    {
        if (info.Tokenizer is not { } tokenizer)
        {
            yield return ("Tokenizer", "none: neither tokenizer.json nor tokenizer.model is there, so token ids can be scored, but no text");
            yield break;
        }
        var size = info.TokenizerSize == info.Config.VocabularySize ? "as many as the model has"
            : FormattableString.Invariant($"the model has {info.Config.VocabularySize}");
        yield return ("Tokenizer", $"{string.Join(" and ", Kinds.Where(name => File.Exists(Path.Combine(folder, name))))}, " +
            FormattableString.Invariant($"{info.TokenizerSize} tokens ({size})"));
        var special = info.SpecialTokens.Select(token => FormattableString.Invariant($"{token.Value} {token.Key}"));
        yield return ("Special tokens", info.SpecialTokens.Count == 0 ? "none"
            : string.Join(", ", special.Take(MostSpecialTokens)) + (info.SpecialTokens.Count > MostSpecialTokens
                ? FormattableString.Invariant($" and {info.SpecialTokens.Count - MostSpecialTokens} more") : ""));
        yield return ($"\"{Example}\"", string.Join(" ", tokenizer.EncodeToTokens(Example, out _)
            .Select(token => FormattableString.Invariant($"{token.Value} ({token.Id})"))));
        yield return ("End of text", info.EndTokenIds.Count == 0 ? "no token: generation ends at its length alone"
            : string.Join(", ", info.EndTokenIds));
        yield return ("Chat template", HasChatTemplate(folder) ? "there" : "none");
    }

    private static bool HasChatTemplate(string folder)
    {
        if (File.Exists(Path.Combine(folder, "chat_template.jinja")))
            return true;
        var settings = Path.Combine(folder, "tokenizer_config.json");
        if (!File.Exists(settings))
            return false;
        using var json = JsonDocument.Parse(File.ReadAllBytes(settings));
        return json.RootElement.TryGetProperty("chat_template", out var template) && template.ValueKind != JsonValueKind.Null;
    }
}
