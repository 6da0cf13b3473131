namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Which trials are ranked, and which of two is to be taken.</summary>
/// <param name="isMaximized">Whether more of the metric is better.</param>
internal sealed class TrialOrder(bool isMaximized)
{
    /// <summary>Milliseconds of the median row; infinity where there is no such number.</summary>
    public static double Latency(ChainTrial trial) =>
        trial.MedianLatency is { } latency && !double.IsNaN(latency) ? latency : double.PositiveInfinity;

    /// <summary>Whether a trial has a metric to be ranked by.</summary>
    public static bool IsRanked(ChainTrial trial) =>
        trial is { State: SweepTrialState.Completed, Metric: { } metric } && !double.IsNaN(metric);

    /// <summary>How good a ranked trial is: the more, the better.</summary>
    public double Quality(ChainTrial trial) => isMaximized ? trial.Metric!.Value : -trial.Metric!.Value;

    /// <summary>The best first; of equals the fastest, then one whose model is there, then the first.</summary>
    public IEnumerable<ChainTrial> BestFirst(IEnumerable<ChainTrial> trials) =>
        trials.OrderByDescending(Quality).ThenBy(Latency).ThenBy(trial => trial.MedianLatency is null ? trial.Parameters : 0)
            .ThenByDescending(trial => trial.Model is not null);

    /// <summary>What a trial costs: its latency; its parameters where no trial's latency was measured.</summary>
    private static Func<ChainTrial, double> CostOf(IReadOnlyCollection<ChainTrial> trials) =>
        trials.All(trial => trial.MedianLatency is null) ? trial => trial.Parameters : Latency;

    /// <summary>The cheapest first; of equals the best, then one whose model is there, then the first.</summary>
    public IEnumerable<ChainTrial> CheapestFirst(IReadOnlyCollection<ChainTrial> trials) =>
        trials.OrderBy(CostOf(trials)).ThenByDescending(Quality).ThenByDescending(trial => trial.Model is not null);

    /// <summary>The trials that no other beats in metric and cost alike, cheapest first; of equals one.</summary>
    public ChainTrial[] Frontier(IReadOnlyCollection<ChainTrial> trials)
    {
        List<ChainTrial> frontier = [];
        foreach (var trial in CheapestFirst(trials))
        {
            if (frontier.Count == 0 || Quality(trial) > Quality(frontier[^1]))
                frontier.Add(trial);
        }
        return [.. frontier];
    }

    /// <summary>
    /// Whether a trial is at most so far from another in its metric. Numbers such as 0.9, 0.89 and 0.01 are none of
    /// floating point: what their rounding makes of such a difference is forgiven.
    /// </summary>
    public static bool IsWithin(ChainTrial trial, ChainTrial other, double tolerance)
    {
        var (one, two) = (trial.Metric!.Value, other.Metric!.Value);
        if (one == two)
            return true;
        var largest = Math.Max(Math.Abs(one), Math.Abs(two));
        var rounding = double.IsFinite(largest) ? 2 * (Math.BitIncrement(largest) - largest) : 0;
        return Math.Abs(one - two) <= tolerance + (tolerance > 0 ? rounding : 0);
    }
}
