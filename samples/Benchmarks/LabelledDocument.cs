namespace Benchmarks;

/// <summary>A row of text with an answer.</summary>
internal sealed class LabelledDocument
{
    public string Text { get; set; } = "";

    public bool Label { get; set; }
}
