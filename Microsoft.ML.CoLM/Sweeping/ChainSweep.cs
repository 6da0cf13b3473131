using System.Diagnostics.CodeAnalysis;

namespace Microsoft.ML.CoLM;

/// <summary>Tries chain counts and candidates, and finds which to deploy.</summary>
public sealed class ChainSweep
{
    internal ChainSweep(MLContext mlContext) => throw new NotImplementedException();

    /// <summary>Sweeps the chain counts of a fitted model; nothing is trained.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetModel(ITransformer model) => throw new NotImplementedException();

    /// <summary>Sweeps candidates, each fitted and then scored at every chain count.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetPipeline(SweepSpace space, Func<SweepSettings, IEstimator<ITransformer>> create) => throw new NotImplementedException();

    /// <summary>Trains on some rows and judges by others.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetDataset(IDataView train, IDataView validation) => throw new NotImplementedException();

    /// <summary>Trains and judges by cross-validation.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetDataset(IDataView data, int fold, string? samplingKeyColumnName = null) => throw new NotImplementedException();

    /// <summary>Judges by a metric.</summary>
    /// <returns>This sweep.</returns>
    [SuppressMessage("ApiDesign", "RS0027", Justification = "The overloads differ in their first argument's type.")]
    public ChainSweep SetMetric(SweepMetric metric, string labelColumnName = "Label") => throw new NotImplementedException();

    /// <summary>Judges by a metric of one's own.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetMetric(string name, Func<IDataView, double> evaluate, bool isMaximized) => throw new NotImplementedException();

    /// <summary>Tries every combination.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetGridSearch() => throw new NotImplementedException();

    /// <summary>Tries combinations at random, none twice.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetRandomSearch(int seed) => throw new NotImplementedException();

    /// <summary>Limits how many candidates are fitted.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetMaxModelToExplore(int count) => throw new NotImplementedException();

    /// <summary>Limits the sweep's time.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetTrainingTimeInSeconds(double seconds) => throw new NotImplementedException();

    /// <summary>Limits the time of a candidate.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetTrialTimeInSeconds(double seconds) => throw new NotImplementedException();

    /// <summary>Limits the memory that a trial may add.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetMaximumMemoryUsageInMegaByte(double megabytes) => throw new NotImplementedException();

    /// <summary>Sets how many rows are scored together where latency is measured.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetLatencyBatchSize(int rows) => throw new NotImplementedException();

    /// <summary>Adds a cascade to every model's trials for each tolerance.</summary>
    /// <param name="data">Rows to find thresholds by, neither trained nor judged on.</param>
    /// <param name="tolerances">How far from all chains' metric a cascade may be.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetCascadeCalibration(IDataView data, params double[] tolerances) => throw new NotImplementedException();

    /// <summary>Tells of every trial when it ends.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetMonitor(IProgress<ChainTrial> monitor) => throw new NotImplementedException();

    /// <summary>Keeps trials in a folder, from which a sweep that was killed goes on.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetCheckpoint(string folder) => throw new NotImplementedException();

    /// <summary>Runs the sweep.</summary>
    public ChainSweepResult Run() => throw new NotImplementedException();

    /// <summary>Runs the sweep on a thread of its own.</summary>
    public Task<ChainSweepResult> RunAsync(CancellationToken cancellationToken = default) => throw new NotImplementedException();
}
