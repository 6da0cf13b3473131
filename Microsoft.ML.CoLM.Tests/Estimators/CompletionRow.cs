namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>A prompt with its response and the response's scores.</summary>
internal sealed record CompletionRow
{
    public string? Prompt { get; set; }

    public string? Response { get; set; }

    public float LogProbability { get; set; }

    public int TokenCount { get; set; }

    public float Perplexity { get; set; }
}
