using Microsoft.Data.Analysis;

namespace Microsoft.ML.CoLM;

/// <summary>The trials of a sweep, and which of them to take.</summary>
public sealed class ChainSweepResult
{
    /// <param name="trials">All trials, in their order; at least one completed.</param>
    /// <param name="metric">The metric's name.</param>
    /// <param name="isMaximized">Whether more of it is better.</param>
    /// <param name="latencyBatchSize">Rows that were scored together where latency was measured.</param>
    internal ChainSweepResult(IReadOnlyList<ChainTrial> trials, string metric, bool isMaximized, int latencyBatchSize) =>
        throw new NotImplementedException();

    /// <summary>All trials, in their order.</summary>
    public IReadOnlyList<ChainTrial> Trials => throw new NotImplementedException();

    /// <summary>The completed trials that no other beats in metric and median latency alike, fastest first.</summary>
    public IReadOnlyList<ChainTrial> Frontier => throw new NotImplementedException();

    /// <summary>The completed trial with the best metric; of several, the fastest.</summary>
    public ChainTrial Best => throw new NotImplementedException();

    /// <summary>The best trial within budgets.</summary>
    public ChainTrial BestUnder(double? latency = null, long? memory = null, long? parameters = null) =>
        throw new NotImplementedException();

    /// <summary>The fastest trial whose metric is at most so far from the best one's.</summary>
    public ChainTrial CheapestWithin(double tolerance) => throw new NotImplementedException();

    /// <summary>The trials as a table of Microsoft.Data.Analysis.</summary>
    public DataFrame ToDataFrame() => throw new NotImplementedException();

    /// <summary>Writes the trials as CSV.</summary>
    public void SaveCsv(string path) => throw new NotImplementedException();

    /// <summary>Writes the trials as JSON.</summary>
    public void SaveJson(string path) => throw new NotImplementedException();
}
