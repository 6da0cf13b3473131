namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Texts with labels of every kind.</summary>
internal sealed record LabelledRow
{
    public string? Text { get; set; }

    public string? Second { get; set; }

    public string? Class { get; set; }

    public int Number { get; set; }

    public float Degrees { get; set; }

    public bool IsWarm { get; set; }
}
