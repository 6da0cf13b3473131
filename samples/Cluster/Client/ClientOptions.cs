using ClusterSample.Membership;

namespace ClusterSample.Client;

/// <summary>How a client uses a cluster.</summary>
internal sealed record ClientOptions
{
    /// <summary>Where the silos are listed.</summary>
    public required ClusterMembership Membership { get; init; }

    /// <summary>The chain count to score with; null takes the one that the silos were started with.</summary>
    public int? ChainCount { get; init; }

    /// <summary>Rows of a block, a multiple of the model's batch size; null for four batches.</summary>
    public int? BlockSize { get; init; }

    /// <summary>How blocks are given to silos.</summary>
    public SchedulerOptions Scheduling { get; init; } = new();

    /// <summary>How long a silo may take for a block, waiting for the one before included.</summary>
    public TimeSpan BlockTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Told of each block, one at a time.</summary>
    public IProgress<ScoringProgress>? Progress { get; init; }

    /// <summary>Told of silos that come and go, in a line each.</summary>
    public Action<string> Log { get; init; } = _ => { };
}
