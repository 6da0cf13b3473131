namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>A row of text, and a number to filter by.</summary>
internal sealed record TextRow
{
    public string? Text { get; set; }

    public float Number { get; set; }
}
