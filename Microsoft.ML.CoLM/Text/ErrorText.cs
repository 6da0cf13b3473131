using System.Globalization;
using System.Text.Json;

namespace Microsoft.ML.CoLM.Text;

/// <summary>How names, values and shapes from files appear in messages.</summary>
internal static class ErrorText
{
    private const int LongestText = 120;

    /// <summary>A text in quotes, shortened: a hostile file can hold a name of any length.</summary>
    public static string Quote(string text) => $"\"{Shorten(text)}\"";

    /// <summary>A value as it stands in a JSON file, shortened.</summary>
    public static string Value(object? value) => value switch
    {
        null => "none",
        string text => Quote(text),
        JsonElement json => Shorten(json.GetRawText()),
        _ => string.Create(CultureInfo.InvariantCulture, $"{value}"),
    };

    /// <summary>For example <c>[32000, 2048]</c>.</summary>
    public static string Shape(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";

    private static string Shorten(string text) =>
        text.Length <= LongestText ? text : string.Concat(text.AsSpan(0, LongestText), "...");
}
