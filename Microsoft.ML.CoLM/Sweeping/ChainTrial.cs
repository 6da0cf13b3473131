using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Sweeping;

namespace Microsoft.ML.CoLM;

/// <summary>The result of one chain count, or one cascade, of one candidate in a sweep.</summary>
public sealed class ChainTrial
{
    internal ChainTrial()
    {
    }

    /// <summary>The trial's number in the sweep, starting at 1.</summary>
    public int Id { get; internal set; }

    /// <summary>The number of chains that scored, in a cascade the maximum; 0 if there was no model to score with.</summary>
    public int ChainCount { get; internal init; }

    /// <summary>The cascade that scored; null if all rows used <see cref="ChainCount"/> chains.</summary>
    public CascadeOptions? Cascade { get; internal init; }

    internal Depth Depth => Cascade?.ToDepth() ?? new(ChainCount);

    /// <summary>The candidate; without values if one model's chain counts are swept.</summary>
    public SweepSettings Settings { get; internal init; } = new();

    /// <summary>How the trial ended.</summary>
    public SweepTrialState State { get; internal init; }

    /// <summary>Why the trial did not complete; null if it did.</summary>
    public string? Error { get; internal init; }

    /// <summary>The sweep's metric, averaged over folds; null if the trial did not complete.</summary>
    public double? Metric { get; internal init; }

    /// <summary>The metric's standard deviation over folds (n - 1); null without folds.</summary>
    public double? MetricDeviation { get; internal init; }

    /// <summary>The median time per row, in milliseconds, at the sweep's batch size.</summary>
    public double? MedianLatency { get; internal init; }

    /// <summary>The 95th percentile of the time per row, in milliseconds, at the sweep's batch size.</summary>
    public double? Percentile95Latency { get; internal init; }

    /// <summary>Rows scored per second, at the sweep's batch size.</summary>
    public double? RowsPerSecond { get; internal init; }

    /// <summary>The number of parameters that the chain count uses.</summary>
    public long Parameters { get; internal init; }

    /// <summary>The memory, in bytes, that the trial added at its peak.</summary>
    public long PeakMemory { get; internal init; }

    /// <summary>The time of fitting in seconds, once for all chain counts of a candidate.</summary>
    public double TrainingSeconds { get; internal init; }

    /// <summary>
    /// The fitted pipeline at this chain count, ready to score; null if it was not kept because another trial is better.
    /// </summary>
    public ITransformer? Model { get; internal set; }

    /// <summary>
    /// Returns the C# code that repeats the trial, in terms of a sweep's <c>create</c> and <c>train</c>, or of its
    /// <c>model</c>: for example <c>create(new SweepSettings().Set("learningRate", 0.002)).Fit(train).WithChainCount(2)</c>.
    /// </summary>
    public override string ToString() => TrialCode.Of(this);
}
