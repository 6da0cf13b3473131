using Microsoft.ML.Data;

namespace Features;

/// <summary>A text with a label: a row of a table with tabs, whose first line names its columns.</summary>
internal sealed class Sentence
{
    [LoadColumn(0)]
    public string Text { get; set; } = "";

    [LoadColumn(1)]
    public bool Label { get; set; }
}
