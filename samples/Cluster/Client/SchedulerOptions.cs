namespace ClusterSample.Client;

/// <summary>How blocks are given to silos.</summary>
internal sealed record SchedulerOptions
{
    /// <summary>Blocks that are read and not yet taken, at most: what the client's memory holds.</summary>
    public int InFlight { get; init; } = 8;

    /// <summary>Blocks that a silo has at once: one that it scores, and one that waits so that it need not.</summary>
    public int BlocksPerSilo { get; init; } = 2;

    /// <summary>How often a block is given to a silo before it is given up.</summary>
    public int Attempts { get; init; } = 4;

    /// <summary>How long to wait where there is no silo.</summary>
    public TimeSpan Wait { get; init; } = TimeSpan.FromSeconds(20);
}
