namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What trials are compared by where it is decided which models are kept.</summary>
/// <param name="Quality">The metric, or less it where less is better.</param>
/// <param name="Latency">Milliseconds of the median row.</param>
/// <param name="Parameters">Parameters in use.</param>
/// <param name="Memory">Bytes that were added.</param>
/// <param name="Candidate">The candidate.</param>
/// <param name="Place">The place among the candidate's trials.</param>
internal readonly record struct TrialPoint(
    double Quality, double Latency, long Parameters, long Memory, int Candidate, int Place)
{
    // By so much, or a fifth where that is more, measurements of one candidate differ (sweep-memory, samples/Sweep): without it,
    // of many candidates that are alike each would be kept that happened to be measured smaller than all better ones.
    private const long MemoryNoise = 1 << 20;
    private const int MemoryNoiseShare = 5;

    /// <summary>Those of a candidate's trials that were not ended.</summary>
    public static TrialPoint[] Of(int candidate, IEnumerable<TrialDraft> drafts, bool isMaximized) =>
        [.. drafts.Index().Where(draft => draft.Item.IsAlive).Select(draft => Of(
            draft.Item.Metric, draft.Item.Latency?.Median, draft.Item.Parameters, draft.Item.Memory, isMaximized, candidate, draft.Index))];

    public static TrialPoint Of(ChainTrial trial, bool isMaximized, int candidate, int place) => Of(
        trial.Metric!.Value, trial.MedianLatency, trial.Parameters, trial.PeakMemory, isMaximized, candidate, place);

    /// <summary>
    /// Whether no other is both better and faster, or better and smaller in parameters or, but for noise, in memory: then it
    /// is the answer to a budget of one of these.
    /// </summary>
    public bool IsNeededBeside(IReadOnlyCollection<TrialPoint> others)
    {
        var own = this;
        return !others.Any(other => other.Beats(own, other.Latency.CompareTo(own.Latency)))
            || !others.Any(other => other.Beats(own, other.Parameters.CompareTo(own.Parameters)))
            || !others.Any(other => other.Beats(own, other.Memory.CompareTo(own.Memory) <= 0 ? other.Memory.CompareTo(own.Memory)
                : other.Memory <= own.Memory + Math.Max(MemoryNoise, own.Memory / MemoryNoiseShare) ? 0 : 1));
    }

    // Of two that are alike in a cost and in quality, the faster one; the earlier one, where that is not known.
    private bool Beats(TrialPoint other, int cost) => Quality >= other.Quality && cost <= 0
        && (Quality > other.Quality || cost < 0 || Latency < other.Latency || (Latency.Equals(other.Latency) && IsBefore(other)));

    private bool IsBefore(TrialPoint other) => (Candidate, Place).CompareTo((other.Candidate, other.Place)) < 0;

    private static TrialPoint Of(
        double metric, double? latency, long parameters, long memory, bool isMaximized, int candidate, int place) =>
        new(isMaximized ? metric : -metric, latency ?? double.PositiveInfinity, parameters, memory, candidate, place);
}
