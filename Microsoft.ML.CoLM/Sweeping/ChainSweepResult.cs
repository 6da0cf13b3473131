using System.Globalization;
using Microsoft.Data.Analysis;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Sweeping;

namespace Microsoft.ML.CoLM;

/// <summary>The trials of a sweep, and which of them to take.</summary>
/// <remarks>
/// Trials that completed are ranked, and one whose metric is not a number is not. Disposing the result disposes the models
/// that its trials hold, each of which may also be disposed by itself.
/// </remarks>
public sealed class ChainSweepResult : IDisposable
{
    private readonly TrialOrder _order;
    private readonly ChainTrial[] _ranked;

    /// <param name="trials">All trials, in their order; at least one completed.</param>
    /// <param name="metric">The metric's name.</param>
    /// <param name="isMaximized">Whether more of it is better.</param>
    /// <param name="latencyBatchSize">Rows that were scored together where latency was measured.</param>
    internal ChainSweepResult(IReadOnlyList<ChainTrial> trials, string metric, bool isMaximized, int latencyBatchSize)
    {
        Trials = Array.AsReadOnly([.. trials]);
        (Metric, IsMaximized, LatencyBatchSize) = (metric, isMaximized, latencyBatchSize);
        _order = new TrialOrder(isMaximized);
        _ranked = [.. trials.Where(TrialOrder.IsRanked)];
        Frontier = Array.AsReadOnly(_order.Frontier(_ranked));
    }

    /// <summary>All trials, in their order.</summary>
    public IReadOnlyList<ChainTrial> Trials { get; }

    /// <summary>
    /// The completed trials that no other beats in metric and median latency alike, fastest first, so the best is the last;
    /// of several with the same metric and latency, one.
    /// </summary>
    public IReadOnlyList<ChainTrial> Frontier { get; }

    /// <summary>The completed trial with the best metric; of several, the fastest.</summary>
    /// <exception cref="InvalidOperationException">No trial completed.</exception>
    public ChainTrial Best => Frontier.Count > 0 ? Frontier[^1] : throw NoneCompleted();

    /// <summary>The name of the metric that trials are judged by.</summary>
    public string Metric { get; }

    /// <summary>Whether more of the metric is better.</summary>
    public bool IsMaximized { get; }

    /// <summary>Rows that were scored together where latency was measured.</summary>
    public int LatencyBatchSize { get; }

    /// <summary>
    /// The trial with the best metric within all budgets that are given, of those whose model is there, where there is one;
    /// of several, the fastest. A sweep keeps the models that answer to one budget; of several budgets at once, the best of
    /// them may not be the best of all trials.
    /// </summary>
    /// <param name="latency">Milliseconds a row at most, of the median row at the sweep's batch size.</param>
    /// <param name="memory">Bytes of <see cref="ChainTrial.PeakMemory"/> at most.</param>
    /// <param name="parameters">Parameters in use at most.</param>
    /// <exception cref="ArgumentOutOfRangeException">A budget is negative, or not a number.</exception>
    /// <exception cref="InvalidOperationException">
    /// No trial is within them; the message names the nearest one, and by how much it misses which budget. Or no trial
    /// completed.
    /// </exception>
    public ChainTrial BestUnder(double? latency = null, long? memory = null, long? parameters = null)
    {
        var budgets = TrialBudget.Of(latency, memory, parameters);
        if (_ranked.Length == 0)
            throw NoneCompleted();
        ChainTrial[] within = [.. _ranked.Where(trial => Array.TrueForAll(budgets, budget => budget.Allows(trial)))];
        ChainTrial[] ready = [.. within.Where(trial => trial.Model is not null)];
        if (_order.BestFirst(ready.Length > 0 ? ready : within).FirstOrDefault() is { } best)
            return best;
        // The one with the least to give up: of the budgets that it misses, the one that it misses most counts.
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

    /// <summary>The fastest trial whose metric is at most so far from the best one's; of several, the best.</summary>
    /// <param name="tolerance">
    /// The absolute difference, in the metric's unit: 0.01 is a point of accuracy. 0 gives <see cref="Best"/>.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">The tolerance is negative, or not a number.</exception>
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
    /// The trials as a table of Microsoft.Data.Analysis, of columns of numbers and text: <c>Id</c>, one for each setting by
    /// its name (numbers stay numbers, all else is text), <c>ChainCount</c>, <c>Cascade</c>, <c>State</c>, <c>Error</c>,
    /// <c>Metric</c>, <c>MetricDeviation</c>, <c>MedianLatency</c>, <c>Percentile95Latency</c> (milliseconds a row),
    /// <c>RowsPerSecond</c>, <c>Parameters</c>, <c>PeakMemory</c> (bytes), <c>TrainingSeconds</c>, <c>Frontier</c> (1 for a
    /// trial on it, else 0) and <c>Code</c> (<see cref="ChainTrial.ToString"/>). A setting that has the name of another
    /// column is called <c>Settings.</c> and its name.
    /// </summary>
    public DataFrame ToDataFrame() => TrialFrame.Of(TrialColumns.Of(Trials, Frontier));

    /// <summary>
    /// Writes the columns of <see cref="ToDataFrame"/> as CSV (RFC 4180) in UTF-8, numbers exact and in the invariant
    /// culture. The file is there as a whole, or not at all.
    /// </summary>
    /// <param name="path">The file; one that is there is replaced.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written.</exception>
    public void SaveCsv(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        WholeFile.Write(path, stream => TrialCsv.Write(TrialColumns.Of(Trials, Frontier), stream));
    }

    /// <summary>
    /// Writes the trials as JSON, numbers exact. The file is there as a whole, or not at all.
    /// </summary>
    /// <remarks>
    /// <para>
    /// An object with <c>version</c> (1), <c>metric</c>, <c>isMaximized</c>, <c>latencyBatchSize</c> and <c>trials</c>, each
    /// of which has <c>id</c>, <c>settings</c>, <c>chainCount</c>, <c>cascade</c> (null, or an object of <c>chainCounts</c>
    /// and <c>thresholds</c>), <c>state</c>, <c>error</c>, <c>metric</c>, <c>metricDeviation</c>, <c>medianLatency</c>,
    /// <c>percentile95Latency</c>, <c>rowsPerSecond</c>, <c>parameters</c>, <c>peakMemory</c>, <c>trainingSeconds</c>,
    /// <c>isOnFrontier</c> and <c>code</c>: the properties of <see cref="ChainTrial"/>, in its units, and its
    /// <see cref="ChainTrial.ToString"/>. What a trial has not is null.
    /// </para>
    /// <para>
    /// <c>settings</c> is an array in the space's order of objects with <c>name</c>, <c>type</c> (the full name of the .NET
    /// type) and <c>value</c>; enumerations are their names. Numbers that JSON lacks are the texts <c>NaN</c>,
    /// <c>Infinity</c> and <c>-Infinity</c>. The version changes when a property goes or changes its meaning.
    /// </para>
    /// </remarks>
    /// <param name="path">The file; one that is there is replaced.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written.</exception>
    public void SaveJson(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        WholeFile.Write(path, stream => TrialJson.Write(this, stream));
    }

    /// <summary>
    /// The trials as a table whose columns fit, the frontier marked by a star, under a line that says metric, direction and
    /// batch size.
    /// </summary>
    public override string ToString() => TrialTable.Of(this);

    /// <summary>Disposes the models of all trials; what they say stays.</summary>
    public void Dispose()
    {
        foreach (var trial in Trials)
            (trial.Model as IDisposable)?.Dispose();
    }

    private static InvalidOperationException NoneCompleted() => new("No trial of the sweep completed with a metric.");
}
