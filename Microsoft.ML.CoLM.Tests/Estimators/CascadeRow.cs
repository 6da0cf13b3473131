namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>A text with the scores of a cascade.</summary>
internal sealed record CascadeRow
{
    public string? Text { get; set; }

    public float LogProbability { get; set; }

    public int TokenCount { get; set; }

    public float Perplexity { get; set; }

    public int ChainsUsed { get; set; }

    /// <summary>The row without the count.</summary>
    public ScoredRow Score => new()
    {
        Text = Text,
        LogProbability = LogProbability,
        TokenCount = TokenCount,
        Perplexity = Perplexity,
    };
}
