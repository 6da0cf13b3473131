using System.Text.RegularExpressions;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>HellaSwag's items: how a scene goes on.</summary>
internal static class HellaSwagItems
{
    // A text of opening brackets alone takes no longer than another.
    private static readonly Regex Bracketed = new(@"\[.*?\]", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);

    public static BenchmarkItem Read(JsonField item)
    {
        var endings = Choices.Texts(item["endings"]);
        return new()
        {
            Context = Clean($"{item["activity_label"].Text}: {item["ctx_a"].Text} {PythonText.Capitalize(item["ctx_b"].Text)}"),
            Choices = Array.ConvertAll(endings, Clean),
            Label = Answers.Index(item["label"], endings.Length),
        };
    }

    /// <summary>The text without the marks of the site that it was taken from, in the harness's order of steps.</summary>
    public static string Clean(string text)
    {
        text = PythonText.Strip(text).Replace(" [title]", ". ", StringComparison.Ordinal);
        return Bracketed.Replace(text, "").Replace("  ", " ", StringComparison.Ordinal);
    }
}
