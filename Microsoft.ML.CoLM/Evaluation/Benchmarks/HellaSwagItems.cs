using System.Text;
using System.Text.RegularExpressions;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>HellaSwag's items: how a scene goes on.</summary>
internal static partial class HellaSwagItems
{
    public static BenchmarkItem Read(JsonField item)
    {
        var endings = Choices.Texts(item["endings"]);
        return new()
        {
            Context = Clean($"{item["activity_label"].Text}: {item["ctx_a"].Text} {Capitalize(item["ctx_b"].Text)}"),
            Choices = Array.ConvertAll(endings, Clean),
            Label = Answers.Index(item["label"], endings.Length),
        };
    }

    /// <summary>The text without the marks of the site that it was taken from, in the harness's order of steps.</summary>
    public static string Clean(string text)
    {
        text = text.Trim().Replace(" [title]", ". ", StringComparison.Ordinal);
        return BracketedPattern().Replace(text, "").Replace("  ", " ", StringComparison.Ordinal);
    }

    /// <summary>The first letter upper case, and all others lower case.</summary>
    public static string Capitalize(string text)
    {
        if (text.Length == 0)
            return "";
        _ = Rune.DecodeFromUtf16(text, out var first, out var length);
        return Rune.ToUpperInvariant(first) + text[length..].ToLowerInvariant();
    }

    [GeneratedRegex(@"\[.*?\]", RegexOptions.CultureInvariant)]
    private static partial Regex BracketedPattern();
}
