namespace QuickStart;

/// <summary>A row that was scored.</summary>
internal sealed class Score
{
    public string Text { get; set; } = "";

    public float LogProbability { get; set; }

    public int TokenCount { get; set; }

    public float Perplexity { get; set; }
}
