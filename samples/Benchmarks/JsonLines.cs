using System.Text.Json;

namespace Benchmarks;

/// <summary>Texts of a file of JSON lines with a <c>text</c>.</summary>
internal static class JsonLines
{
    public static Document[] Read(FileInfo file) => [.. File.ReadLines(file.FullName)
        .Where(line => !string.IsNullOrWhiteSpace(line))
        .Select(line =>
        {
            using var json = JsonDocument.Parse(line);
            return new Document { Text = json.RootElement.GetProperty("text").GetString()! };
        })];
}
