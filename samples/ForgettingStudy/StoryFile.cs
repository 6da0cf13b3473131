using System.Text.Json;

namespace ForgettingStudy;

/// <summary>Reads stories: JSON lines with a <c>text</c>.</summary>
internal static class StoryFile
{
    /// <exception cref="InvalidDataException">A line is not JSON, or has no text.</exception>
    public static Story[] Read(string path)
    {
        Story[] stories = [.. File.ReadLines(path)
            .Select((line, i) => (Line: line, Source: $"{path}, line {i + 1}"))
            .Where(entry => !string.IsNullOrWhiteSpace(entry.Line))
            .Select(entry => new Story { Text = Text(entry.Line, entry.Source) })];
        return stories.Length > 0 ? stories : throw new InvalidDataException($"{path}: no stories.");
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
