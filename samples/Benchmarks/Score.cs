namespace Benchmarks;

/// <summary>What elastic scoring adds to a row.</summary>
internal sealed class Score
{
    public float LogProbability { get; set; }

    public int TokenCount { get; set; }
}
