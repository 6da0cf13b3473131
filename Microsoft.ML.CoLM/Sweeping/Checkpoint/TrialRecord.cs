using System.Text.Json.Serialization;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>A trial as it stands in a checkpoint folder.</summary>
internal sealed record TrialRecord
{
    // Far beyond any model's: what a stranger's file says is not to be counted up to.
    private const int MostChains = 1 << 20;

    public required int Id { get; init; }

    public required int ChainCount { get; init; }

    public int[]? CascadeChainCounts { get; init; }

    public double[]? CascadeThresholds { get; init; }

    /// <summary>Whether the thresholds are losses, not margins; null in lines that do not say it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public bool? CascadeStopsByLoss { get; init; }

    public required SweepTrialState State { get; init; }

    public string? Error { get; init; }

    public double? Metric { get; init; }

    public double? MetricDeviation { get; init; }

    public double? MedianLatency { get; init; }

    public double? Percentile95Latency { get; init; }

    public double? RowsPerSecond { get; init; }

    public long Parameters { get; init; }

    public long PeakMemory { get; init; }

    public double TrainingSeconds { get; init; }

    public static TrialRecord Of(ChainTrial trial) => new()
    {
        Id = trial.Id,
        ChainCount = trial.ChainCount,
        CascadeChainCounts = trial.Cascade is null ? null : [.. trial.Cascade.ChainCounts],
        CascadeThresholds = trial.Cascade is null ? null : [.. trial.Cascade.Thresholds],
        CascadeStopsByLoss = trial.Cascade is { Thresholds.Count: > 0 } cascade ? cascade.MaximumLosses.Count > 0 : null,
        State = trial.State,
        Error = trial.Error,
        Metric = trial.Metric,
        MetricDeviation = trial.MetricDeviation,
        MedianLatency = trial.MedianLatency,
        Percentile95Latency = trial.Percentile95Latency,
        RowsPerSecond = trial.RowsPerSecond,
        Parameters = trial.Parameters,
        PeakMemory = trial.PeakMemory,
        TrainingSeconds = trial.TrainingSeconds,
    };

    /// <param name="settings">The candidate's.</param>
    /// <param name="stopsByLoss">Whether thresholds are losses, not margins, where the line does not say it.</param>
    public ChainTrial ToTrial(SweepSettings settings, bool stopsByLoss) => new()
    {
        Id = Id,
        ChainCount = ChainCount,
        Cascade = HasCascade ? CascadeOptions.Of(
            CascadeChainCounts ?? [], CascadeThresholds ?? [], CascadeStopsByLoss ?? stopsByLoss) : null,
        Settings = settings,
        State = State,
        Error = Error,
        Metric = Metric,
        MetricDeviation = MetricDeviation,
        MedianLatency = MedianLatency,
        Percentile95Latency = Percentile95Latency,
        RowsPerSecond = RowsPerSecond,
        Parameters = Parameters,
        PeakMemory = PeakMemory,
        TrainingSeconds = TrainingSeconds,
    };

    /// <summary>What no trial has, as the end of a sentence; null for a trial.</summary>
    public string? Fault(int expectedId)
    {
        if (Id != expectedId)
            return FormattableString.Invariant($"trial {expectedId} must follow, found {Id}");
        if (!Enum.IsDefined(State))
            return FormattableString.Invariant($"the state of trial {Id} is {State}, which is none");
        if (ChainCount is < 0 or > MostChains || Parameters < 0 || PeakMemory < 0)
            return FormattableString.Invariant($"trial {Id} has a negative number, or {ChainCount} chains");
        if (State == SweepTrialState.Completed
            && (ChainCount == 0 || Metric is null or double.NaN || MedianLatency is null != Percentile95Latency is null
                || MedianLatency is null != RowsPerSecond is null))
        {
            return FormattableString.Invariant($"trial {Id} is completed and has no metric, or half of a latency");
        }
        return CascadeFault();
    }

    private string? CascadeFault()
    {
        try
        {
            if (HasCascade)
                CascadeOptions.Check(CascadeChainCounts ?? [], CascadeThresholds ?? []);
            return null;
        }
        catch (Exception e) when (e is ArgumentException)
        {
            return FormattableString.Invariant($"the cascade of trial {Id} is none: {e.Message}");
        }
    }

    private bool HasCascade => CascadeChainCounts is not null || CascadeThresholds is not null;
}
