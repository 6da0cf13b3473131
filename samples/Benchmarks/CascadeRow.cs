namespace Benchmarks;

/// <summary>What scoring adds to a row; without a cascade, no chains used.</summary>
internal sealed class CascadeRow
{
    public float LogProbability { get; set; }

    public int TokenCount { get; set; }

    public int ChainsUsed { get; set; }
}
