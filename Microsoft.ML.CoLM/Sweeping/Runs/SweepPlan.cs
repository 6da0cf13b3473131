using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What a run of a sweep does; later changes of the sweep do not reach it.</summary>
internal sealed record SweepPlan
{
    public required MLContext Context { get; init; }

    public required IHost Host { get; init; }

    /// <summary>The model whose chain counts are swept; null where candidates are.</summary>
    public ITransformer? Model { get; init; }

    /// <summary>The candidates' space; empty where a model's chain counts are swept.</summary>
    public IReadOnlyList<SweepDimension> Space { get; init; } = [];

    /// <summary>Makes a candidate's pipeline; null where a model's chain counts are swept.</summary>
    public Func<SweepSettings, IEstimator<ITransformer>>? Create { get; init; }

    public required SweepSearch Search { get; init; }

    public required SweepData Data { get; init; }

    /// <summary>The parts of the data, or its folds.</summary>
    public required IReadOnlyList<Fold> Folds { get; init; }

    public required SweepObjective Objective { get; init; }

    /// <summary>What the metric is, in words.</summary>
    public required string MetricText { get; init; }

    /// <summary>Candidates that are fitted at most.</summary>
    public int? MaxModels { get; init; }

    public double? TotalSeconds { get; init; }

    public double? TrialSeconds { get; init; }

    /// <summary>Bytes that a trial may add.</summary>
    public long? MemoryLimit { get; init; }

    public int LatencyBatchSize { get; init; } = 1;

    /// <summary>Whether trials' latencies are measured.</summary>
    public bool MeasuresLatency { get; init; } = true;

    /// <summary>The ranks that share the work; null for one process.</summary>
    public Communicator? Communicator { get; init; }

    /// <summary>When this rank may measure; null where nobody else is to rest meanwhile.</summary>
    public MeasuringTurn? Turn { get; init; }

    /// <summary>Measures a fitted pipeline on raw rows, so many at once.</summary>
    public Func<ITransformer, IDataView, int, CancellationToken, Latency> MeasureLatency { get; init; } = LatencyMeter.Measure;

    /// <summary>Rows to find cascades' thresholds by; null without cascades.</summary>
    public IDataView? CalibrationData { get; init; }

    /// <summary>By what cascades are calibrated, and of which label.</summary>
    public CascadeCalibrationOptions Calibration { get; init; } = new();

    /// <summary>How far from all chains' metric each cascade may be.</summary>
    public IReadOnlyList<double> Tolerances { get; init; } = [];

    public IProgress<ChainTrial>? Monitor { get; init; }

    public string? CheckpointFolder { get; init; }
}
