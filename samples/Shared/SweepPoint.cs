using Microsoft.ML.CoLM;

namespace Samples;

/// <summary>A completed trial in a chart.</summary>
/// <param name="Trial">The trial.</param>
/// <param name="Candidate">The settings that are not the same in all trials; empty where all are.</param>
/// <param name="IsOnFrontier">Whether it is on the frontier.</param>
internal sealed record SweepPoint(ChainTrial Trial, string Candidate, bool IsOnFrontier)
{
    public double Latency => Trial.MedianLatency!.Value;

    public double Metric => Trial.Metric!.Value;

    public string Chains => Trial.Cascade is { } cascade
        ? $"cascade {string.Join(", ", cascade.ChainCounts)}"
        : Trial.ChainCount == 1 ? "1 chain" : $"{Trial.ChainCount} chains";
}
