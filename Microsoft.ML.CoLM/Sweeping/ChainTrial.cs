using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Sweeping;

namespace Microsoft.ML.CoLM;

/// <summary>What a sweep found for one chain count, or one cascade, of one candidate.</summary>
public sealed class ChainTrial
{
    internal ChainTrial()
    {
    }

    /// <summary>The trial's number in the sweep, from 1 on.</summary>
    public int Id { get; internal init; }

    /// <summary>How many chains scored, in a cascade at most; 0 where there was no model to score with.</summary>
    public int ChainCount { get; internal init; }

    /// <summary>The cascade that scored; null where all rows took <see cref="ChainCount"/> chains.</summary>
    public CascadeOptions? Cascade { get; internal init; }

    internal Depth Depth => Cascade?.ToDepth() ?? new(ChainCount);

    /// <summary>The candidate; without values where the chain counts of one model are swept.</summary>
    public SweepSettings Settings { get; internal init; } = new();

    /// <summary>How the trial ended.</summary>
    public SweepTrialState State { get; internal init; }

    /// <summary>Why it did not complete; null where it did.</summary>
    public string? Error { get; internal init; }

    /// <summary>The sweep's metric, over folds their mean; null where the trial did not complete.</summary>
    public double? Metric { get; internal init; }

    /// <summary>The metric's standard deviation over folds (n - 1); null without folds.</summary>
    public double? MetricDeviation { get; internal init; }

    /// <summary>Half of the rows took at most so many milliseconds, at the sweep's batch size.</summary>
    public double? MedianLatency { get; internal init; }

    /// <summary>95 of 100 rows took at most so many milliseconds, at the sweep's batch size.</summary>
    public double? Percentile95Latency { get; internal init; }

    /// <summary>Rows scored in a second, at the sweep's batch size.</summary>
    public double? RowsPerSecond { get; internal init; }

    /// <summary>Parameters that the chain count uses.</summary>
    public long Parameters { get; internal init; }

    /// <summary>Bytes of memory that the trial added at its peak.</summary>
    public long PeakMemory { get; internal init; }

    /// <summary>Seconds of fitting, once for all chain counts of a candidate.</summary>
    public double TrainingSeconds { get; internal init; }

    /// <summary>
    /// The fitted pipeline at this chain count, ready to score; null where it was not kept, being worse than another.
    /// </summary>
    public ITransformer? Model { get; internal set; }

    /// <summary>
    /// The C# that repeats the trial, of a sweep's <c>create</c> and <c>train</c>, or of its <c>model</c>: for example
    /// <c>create(new SweepSettings().Set("learningRate", 0.002)).Fit(train).WithChainCount(2)</c>.
    /// </summary>
    public override string ToString() => TrialCode.Of(this);
}
