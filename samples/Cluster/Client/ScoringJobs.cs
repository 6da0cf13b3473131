using ClusterSample.Contracts;
using Microsoft.ML;

namespace ClusterSample.Client;

/// <summary>Begins the jobs of views.</summary>
/// <param name="File">The model.</param>
/// <param name="ChainCount">The chain count; null scores as the zip says.</param>
/// <param name="BlockSize">Rows of a block.</param>
/// <param name="Options">How blocks are given to silos.</param>
/// <param name="Roster">The silos.</param>
/// <param name="Progress">Told of each block; may be null.</param>
/// <param name="CancellationToken">Ends all jobs.</param>
internal sealed record ScoringJobs(
    ModelFile File, int? ChainCount, int BlockSize, SchedulerOptions Options, SiloRoster Roster, IProgress<ScoringProgress>? Progress,
    CancellationToken CancellationToken)
{
    /// <summary>Begins to score a view's rows; blocks are read ahead from now on.</summary>
    public ScoringJob Begin(IDataView source, ScoringPlan plan) => new(
        File.MLContext, source, plan, BlockSize,
        rows => new ScoringRequest(File.Hash, ChainCount, rows, [.. plan.Computed.Select(column => column.Name)]),
        read => new BlockScheduler(read, Options, Roster.WhyNone, Progress, CancellationToken), Roster);
}
