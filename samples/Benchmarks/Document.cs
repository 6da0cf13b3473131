using Samples;

namespace Benchmarks;

/// <summary>A row of text.</summary>
internal sealed class Document
{
    public string Text { get; set; } = "";

    /// <summary>Those of a file of JSON lines with a <c>text</c>.</summary>
    /// <exception cref="InvalidDataException">A line is not JSON, or has no text.</exception>
    public static Document[] Read(FileInfo file) =>
        [.. JsonLines.Texts(file.FullName).Select(text => new Document { Text = text })];
}
