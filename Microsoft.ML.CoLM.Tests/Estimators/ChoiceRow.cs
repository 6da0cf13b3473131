namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>A context with choices, and the right one.</summary>
internal sealed class ChoiceRow
{
    public string? Context { get; set; }

    public string?[] Choices { get; set; } = [];

    public int Label { get; set; }
}
