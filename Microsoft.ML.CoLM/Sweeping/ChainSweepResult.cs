using System.Globalization;
using Microsoft.Data.Analysis;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Sweeping;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>The trials of a sweep, and the best of them.</summary>
/// <remarks>
/// Completed trials are ranked, except those whose metric is NaN. Disposing the result disposes its trials' models, each of
/// which can also be disposed separately.
/// </remarks>
public sealed class ChainSweepResult : IDisposable
{
    private readonly TrialOrder _order;
    private readonly ChainTrial[] _ranked;

    /// <param name="trials">All trials, in their order; at least one completed.</param>
    /// <param name="metric">The metric's name.</param>
    /// <param name="isMaximized">Whether higher is better.</param>
    /// <param name="latencyBatchSize">The number of rows scored together when latency was measured.</param>
    internal ChainSweepResult(IReadOnlyList<ChainTrial> trials, string metric, bool isMaximized, int latencyBatchSize)
    {
        Trials = new ItemList<ChainTrial>(trials);
        (Metric, IsMaximized, LatencyBatchSize) = (metric, isMaximized, latencyBatchSize);
        _order = new TrialOrder(isMaximized);
        _ranked = [.. trials.Where(TrialOrder.IsRanked)];
        Frontier = new ItemList<ChainTrial>(_order.Frontier(_ranked));
    }

    /// <summary>All trials, in their order.</summary>
    public IReadOnlyList<ChainTrial> Trials { get; }

    /// <summary>
    /// The completed trials that no other beats in both metric and median latency, fastest first, so the best is the last; one
    /// of those with equal metric and latency. In a sweep without latency measurement, parameters take latency's place.
    /// </summary>
    public IReadOnlyList<ChainTrial> Frontier { get; }

    /// <summary>The completed trial with the best metric; the fastest if several tie.</summary>
    /// <exception cref="InvalidOperationException">No trial completed.</exception>
    public ChainTrial Best => Frontier.Count > 0 ? Frontier[^1] : throw NoneCompleted();

    /// <summary>The name of the metric that trials are ranked by.</summary>
    public string Metric { get; }

    /// <summary>Whether a higher metric is better.</summary>
    public bool IsMaximized { get; }

    /// <summary>The number of rows scored together when latency was measured.</summary>
    public int LatencyBatchSize { get; }

    /// <summary>
    /// Returns the trial with the best metric within all given budgets, preferably one whose model is available; the fastest if
    /// several tie. A sweep keeps the models that are best for a single budget; under several budgets at once, the best of them
    /// may not be the best of all trials.
    /// </summary>
    /// <param name="latency">The maximum milliseconds per row, for the median row at the sweep's batch size.</param>
    /// <param name="memory">The maximum <see cref="ChainTrial.PeakMemory"/> in bytes.</param>
    /// <param name="parameters">The maximum number of parameters in use.</param>
    /// <exception cref="ArgumentOutOfRangeException">A budget is negative or NaN.</exception>
    /// <exception cref="InvalidOperationException">
    /// No trial is within the budgets, and the message names the nearest one and by how much it misses which budget; or no
    /// trial completed.
    /// </exception>
    public ChainTrial BestUnder(double? latency = null, long? memory = null, long? parameters = null)
    {
        var budgets = TrialBudget.Of(latency, memory, parameters);
        if (_ranked.Length == 0)
            throw NoneCompleted();
        if (latency is not null && Array.TrueForAll(_ranked, trial => trial.MedianLatency is null))
        {
            throw new InvalidOperationException("The sweep measured no latency, so that there is nothing to compare the latency budget " +
                $"with: see {nameof(ChainSweep)}.{nameof(ChainSweep.SetLatencyMeasurement)}.");
        }
        ChainTrial[] within = [.. _ranked.Where(trial => Array.TrueForAll(budgets, budget => budget.Allows(trial)))];
        ChainTrial[] ready = [.. within.Where(trial => trial.Model is not null)];
        if (_order.BestFirst(ready.Length > 0 ? ready : within).FirstOrDefault() is { } best)
            return best;
        // The trial whose worst excess over any budget is the smallest.
        var nearest = _order.BestFirst(_ranked)
            .OrderBy(trial => budgets.Max(budget => budget.Excess(trial)))
            .ThenBy(trial => budgets.Sum(budget => budget.Allows(trial) ? 0 : budget.Used(trial)))
            .First();
        var misses = budgets.Where(budget => !budget.Allows(nearest)).Select(budget => budget.Miss(nearest));
        throw new InvalidOperationException(
            $"No trial takes at most {string.Join(" and ", budgets.Select(budget => budget.ToString()))}. " +
            string.Create(CultureInfo.InvariantCulture, $"The nearest is trial {nearest.Id}, {nearest}: ") +
            $"{string.Join(", and ", misses)}.");
    }

    /// <summary>Returns the fastest trial whose metric is within a tolerance of the best; the best if several tie.</summary>
    /// <param name="tolerance">
    /// The absolute difference, in the metric's unit: 0.01 is a percentage point of accuracy. 0 returns <see cref="Best"/>.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">The tolerance is negative or NaN.</exception>
    /// <exception cref="InvalidOperationException">No trial completed.</exception>
    public ChainTrial CheapestWithin(double tolerance)
    {
        if (!(tolerance >= 0))
        {
            throw new ArgumentOutOfRangeException(nameof(tolerance), string.Create(
                CultureInfo.InvariantCulture, $"{nameof(tolerance)} must be at least 0, found {tolerance}."));
        }
        var best = Best;
        return Frontier.First(trial => TrialOrder.IsWithin(trial, best, tolerance));
    }

    /// <summary>
    /// Returns the trials as a Microsoft.Data.Analysis table with columns of numbers and text: <c>Id</c>, one column per
    /// setting, by its name (numbers stay numbers, everything else is text), <c>ChainCount</c>, <c>Cascade</c>, <c>State</c>,
    /// <c>Error</c>, <c>Metric</c>, <c>MetricDeviation</c>, <c>MedianLatency</c>, <c>Percentile95Latency</c> (milliseconds per
    /// row), <c>RowsPerSecond</c>, <c>Parameters</c>, <c>PeakMemory</c> (bytes), <c>TrainingSeconds</c>, <c>Frontier</c> (1 for
    /// a trial on it, else 0) and <c>Code</c> (<see cref="ChainTrial.ToString"/>). A setting named like another column gets the
    /// prefix <c>Settings.</c>
    /// </summary>
    public DataFrame ToDataFrame() => TrialFrame.Of(TrialColumns.Of(Trials, Frontier));

    /// <summary>
    /// Writes the columns of <see cref="ToDataFrame"/> as CSV (RFC 4180) in UTF-8, with exact numbers in the invariant culture.
    /// The file is written completely or not at all.
    /// </summary>
    /// <param name="path">The file; an existing one is replaced.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder is not writable.</exception>
    public void SaveCsv(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        WholeFile.Write(path, stream => TrialCsv.Write(TrialColumns.Of(Trials, Frontier), stream));
    }

    /// <summary>
    /// Writes the trials as JSON, with exact numbers. The file is written completely or not at all.
    /// </summary>
    /// <remarks>
    /// <para>
    /// An object with <c>version</c> (1), <c>metric</c>, <c>isMaximized</c>, <c>latencyBatchSize</c> and <c>trials</c>, each of
    /// which has <c>id</c>, <c>settings</c>, <c>chainCount</c>, <c>cascade</c> (null, or an object of <c>chainCounts</c> and
    /// <c>thresholds</c>), <c>state</c>, <c>error</c>, <c>metric</c>, <c>metricDeviation</c>, <c>medianLatency</c>,
    /// <c>percentile95Latency</c>, <c>rowsPerSecond</c>, <c>parameters</c>, <c>peakMemory</c>, <c>trainingSeconds</c>,
    /// <c>isOnFrontier</c> and <c>code</c>: the properties of <see cref="ChainTrial"/>, in its units, and its
    /// <see cref="ChainTrial.ToString"/>. Missing values are null.
    /// </para>
    /// <para>
    /// <c>settings</c> is an array, in the space's order, of objects with <c>name</c>, <c>type</c> (the full name of the .NET
    /// type) and <c>value</c>; enumerations are written by name. Numbers that JSON lacks are the strings <c>NaN</c>,
    /// <c>Infinity</c> and <c>-Infinity</c>. The version changes when a property is removed or changes its meaning.
    /// </para>
    /// </remarks>
    /// <param name="path">The file; an existing one is replaced.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder is not writable.</exception>
    public void SaveJson(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        WholeFile.Write(path, stream => TrialJson.Write(this, stream));
    }

    /// <summary>
    /// Returns the trials as an aligned table, with the frontier marked by a star, below a line with metric, direction and
    /// batch size.
    /// </summary>
    public override string ToString() => TrialTable.Of(this);

    /// <summary>Disposes the models of all trials; their results remain.</summary>
    public void Dispose()
    {
        foreach (var trial in Trials)
            (trial.Model as IDisposable)?.Dispose();
    }

    private static InvalidOperationException NoneCompleted() => new("No trial of the sweep completed with a metric.");
}
