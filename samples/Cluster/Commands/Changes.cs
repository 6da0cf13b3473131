namespace ClusterSample.Commands;

/// <summary>What happens to a cluster while it scores: a silo is killed, another joins.</summary>
internal sealed class Changes(
    PrivateCluster cluster, bool kills, bool joins, long afterRows, CancellationToken cancellationToken)
{
    private readonly Lock _lock = new();
    private Task? _task;

    /// <summary>Lets it happen once so many rows are scored.</summary>
    public void Scored(long rows)
    {
        lock (_lock)
        {
            if (rows >= afterRows)
                _task ??= Task.Run(MakeAsync, CancellationToken.None);
        }
    }

    /// <summary>Waits until what has begun is over.</summary>
    public void Wait() => _task?.GetAwaiter().GetResult();

    private async Task MakeAsync()
    {
        if (kills)
        {
            // The first that was started: no silo is more than another.
            var killed = cluster.Silos[0];
            Console.WriteLine($"  kills process {killed.Id}");
            killed.Kill();
        }
        if (joins)
            await cluster.JoinAsync(cancellationToken);
    }
}
