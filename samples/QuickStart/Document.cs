namespace QuickStart;

/// <summary>A row of the training data.</summary>
internal sealed class Document
{
    public string Text { get; set; } = "";
}
