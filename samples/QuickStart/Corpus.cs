using System.Text.Json;

namespace QuickStart;

/// <summary>Reads texts: JSON lines with a <c>text</c>, or plain text with a blank line between documents.</summary>
internal static class Corpus
{
    public static IEnumerable<Document> Read(FileInfo file) =>
        file.Extension is ".jsonl" or ".json" ? ReadJsonLines(file) : ReadBlocks(file);

    private static IEnumerable<Document> ReadJsonLines(FileInfo file)
    {
        var number = 0;
        foreach (var line in File.ReadLines(file.FullName))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
                yield return new Document { Text = Text(line, $"{file.FullName}, line {number}") };
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

    private static IEnumerable<Document> ReadBlocks(FileInfo file)
    {
        List<string> block = [];
        foreach (var line in File.ReadLines(file.FullName))
        {
            if (!string.IsNullOrWhiteSpace(line))
            {
                block.Add(line);
                continue;
            }
            if (block.Count > 0)
                yield return new Document { Text = string.Join('\n', block) };
            block.Clear();
        }
        if (block.Count > 0)
            yield return new Document { Text = string.Join('\n', block) };
    }
}
