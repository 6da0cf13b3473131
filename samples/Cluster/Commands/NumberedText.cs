namespace ClusterSample.Commands;

/// <summary>A row: a text, and a column that the model does not read.</summary>
internal sealed class NumberedText
{
    public int Number { get; set; }

    public string Text { get; set; } = "";
}
