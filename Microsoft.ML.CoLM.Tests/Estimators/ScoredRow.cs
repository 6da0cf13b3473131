namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>A text with its scores; two are equal when every bit is.</summary>
internal sealed record ScoredRow
{
    public string? Text { get; set; }

    public float LogProbability { get; set; }

    public int TokenCount { get; set; }

    public float Perplexity { get; set; }
}
