using System.Text.Json;

namespace Samples;

/// <summary>Files of JSON lines, each an object with a <c>text</c>.</summary>
internal static class JsonLines
{
    /// <summary>The texts, in their order; blank lines are passed over.</summary>
    /// <exception cref="InvalidDataException">
    /// A line is not JSON, or has no text; the message names file and line.
    /// </exception>
    public static IEnumerable<string> Texts(string path)
    {
        var number = 0;
        foreach (var line in File.ReadLines(path))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
                yield return Text(line, $"{path}, line {number}");
        }
    }

    private static string Text(string line, string source)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            if (json.RootElement.ValueKind == JsonValueKind.Object &&
                json.RootElement.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String)
            {
                return text.GetString()!;
            }
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{source}: not JSON. {e.Message}", e);
        }
        throw new InvalidDataException($"{source}: expected a JSON object with a string \"text\".");
    }
}
