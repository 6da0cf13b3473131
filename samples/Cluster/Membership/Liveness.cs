using Orleans.Configuration;

namespace ClusterSample.Membership;

/// <summary>How soon a silo that was killed is out of the cluster, and with it out of the list that clients read.</summary>
internal static class Liveness
{
    /// <summary>
    /// About five seconds, where Orleans by itself takes half a minute. The blocks that it had are elsewhere long before:
    /// clients see their connection to it break.
    /// </summary>
    public static void Configure(ClusterMembershipOptions options)
    {
        options.ProbeTimeout = TimeSpan.FromSeconds(1.5);
        options.NumMissedProbesLimit = 3;
        options.TableRefreshTimeout = TimeSpan.FromSeconds(5);
        options.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(2);
        // What was killed together with all others has nobody to vote it dead: a silo that starts then passes it over.
        options.NumMissedTableIAmAliveLimit = 3;
        options.MaxJoinAttemptTime = TimeSpan.FromSeconds(30);
    }
}
