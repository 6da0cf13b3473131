namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What trials are compared by where it is decided which models are kept.</summary>
/// <param name="Quality">The metric, or less it where less is better.</param>
/// <param name="Latency">Milliseconds of the median row.</param>
/// <param name="Parameters">Parameters in use.</param>
/// <param name="Memory">Bytes that were added.</param>
internal readonly record struct TrialPoint(double Quality, double Latency, long Parameters, long Memory)
{
    public static TrialPoint Of(TrialDraft draft, bool isMaximized) =>
        Of(draft.Metric, draft.Latency?.Median, draft.Parameters, draft.Memory, isMaximized);

    public static TrialPoint Of(ChainTrial trial, bool isMaximized) =>
        Of(trial.Metric!.Value, trial.MedianLatency, trial.Parameters, trial.PeakMemory, isMaximized);

    /// <summary>Whether it is as good in everything and better in something, so that no budget leads to the other one.</summary>
    public bool Beats(TrialPoint other) => this != other && Quality >= other.Quality && Latency <= other.Latency
        && Parameters <= other.Parameters && Memory <= other.Memory;

    private static TrialPoint Of(double metric, double? latency, long parameters, long memory, bool isMaximized) =>
        new(isMaximized ? metric : -metric, latency ?? double.PositiveInfinity, parameters, memory);
}
