namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What trials are compared by where it is decided which models are kept.</summary>
/// <param name="Quality">The metric, or less it where less is better.</param>
/// <param name="Latency">Milliseconds of the median row.</param>
/// <param name="Parameters">Parameters in use.</param>
/// <param name="Memory">Bytes that were added.</param>
internal readonly record struct TrialPoint(double Quality, double Latency, long Parameters, long Memory)
{
    // By so much, or a twentieth where that is more, two measurements of the same candidate can differ (sweep-memory): without
    // it, of many candidates that are alike each would be kept that happened to be measured smaller than all better ones.
    private const long MemoryNoise = 1 << 20;

    public static TrialPoint Of(TrialDraft draft, bool isMaximized) =>
        Of(draft.Metric, draft.Latency?.Median, draft.Parameters, draft.Memory, isMaximized);

    public static TrialPoint Of(ChainTrial trial, bool isMaximized) =>
        Of(trial.Metric!.Value, trial.MedianLatency, trial.Parameters, trial.PeakMemory, isMaximized);

    /// <summary>
    /// Whether it is as good in everything, in memory but for noise, and better in something: no budget leads to the other one.
    /// </summary>
    public bool Beats(TrialPoint other) =>
        Quality >= other.Quality && Latency <= other.Latency && Parameters <= other.Parameters
        && Memory <= other.Memory + Math.Max(MemoryNoise, other.Memory / 20)
        && (Quality > other.Quality || Latency < other.Latency || Parameters < other.Parameters || Memory < other.Memory);

    private static TrialPoint Of(double metric, double? latency, long parameters, long memory, bool isMaximized) =>
        new(isMaximized ? metric : -metric, latency ?? double.PositiveInfinity, parameters, memory);
}
