using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>A trial that is being made.</summary>
/// <param name="chainCount">How many chains score; of a cascade the most, known when its thresholds are.</param>
/// <param name="tolerance">How far from all chains' metric a cascade may be; null for no cascade.</param>
internal sealed class TrialDraft(int chainCount, double? tolerance = null)
{
    private readonly List<double> _metrics = [];

    public Depth Depth => Cascade?.ToDepth() ?? new(chainCount);

    public int ChainCount => Depth.ChainCount;

    public double? Tolerance => tolerance;

    public CascadeOptions? Cascade { get; set; }

    public SweepTrialState State { get; private set; }

    public string? Error { get; private set; }

    public Latency? Latency { get; set; }

    public long Parameters { get; set; }

    /// <summary>Bytes that it added at its peak.</summary>
    public long Memory { get; set; }

    /// <summary>Whether nothing ended it so far.</summary>
    public bool IsAlive => State == SweepTrialState.Completed;

    /// <summary>The metric, over folds their mean.</summary>
    public double Metric => _metrics.Average();

    /// <summary>The metric's deviation over folds; null without folds.</summary>
    public double? Deviation => _metrics.Count < 2 ? null
        : Math.Sqrt(_metrics.Sum(metric => (metric - Metric) * (metric - Metric)) / (_metrics.Count - 1));

    /// <summary>Adds the metric of one of the folds, or the only one.</summary>
    public void Add(double metric)
    {
        if (double.IsNaN(metric))
            End(SweepTrialState.Failed, "The metric is not a number (NaN).");
        else
            _metrics.Add(metric);
        if (IsAlive && double.IsNaN(Metric)) // infinities of both signs
            End(SweepTrialState.Failed, "The metric's mean over folds is not a number (NaN).");
    }

    /// <summary>Ends it, unless it has ended.</summary>
    public void End(SweepTrialState state, string reason)
    {
        if (IsAlive)
            (State, Error) = (state, reason);
    }

    /// <summary>Ends it as an exception says.</summary>
    public void End(Exception exception, TrialClock clock)
    {
        if (exception is TrialRefusedException refused)
            Memory = Math.Max(Memory, refused.Bytes);
        var (state, reason) = TrialError.Of(exception, clock);
        End(state, reason);
    }

    public ChainTrial ToTrial(int id, SweepSettings settings, double trainingSeconds) => new()
    {
        Id = id,
        ChainCount = ChainCount,
        Cascade = Cascade?.Copy(),
        Settings = settings,
        State = State,
        Error = Error,
        Metric = IsAlive ? Metric : null,
        MetricDeviation = IsAlive ? Deviation : null,
        MedianLatency = IsAlive ? Latency?.Median : null,
        Percentile95Latency = IsAlive ? Latency?.Percentile95 : null,
        RowsPerSecond = IsAlive ? Latency?.RowsPerSecond : null,
        Parameters = Parameters,
        PeakMemory = Memory,
        TrainingSeconds = trainingSeconds,
    };
}
