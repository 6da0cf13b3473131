using Samples;

namespace QuickStart;

/// <summary>Reads texts: JSON lines with a <c>text</c>, or plain text with a blank line between documents.</summary>
internal static class Corpus
{
    public static IEnumerable<Document> Read(FileInfo file) =>
        file.Extension is ".jsonl" or ".json"
            ? JsonLines.Texts(file.FullName).Select(text => new Document { Text = text })
            : ReadBlocks(file);

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
