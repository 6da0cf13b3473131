namespace Evaluate;

/// <summary>An item with choices.</summary>
internal sealed class ChoiceItem
{
    public string Context { get; set; } = "";

    public string[] Choices { get; set; } = [];

    public int Label { get; set; }
}
