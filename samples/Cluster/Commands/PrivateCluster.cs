using ClusterSample.Membership;

namespace ClusterSample.Commands;

/// <summary>Silos of a command's own, in a cluster that nobody else knows of.</summary>
internal sealed class PrivateCluster : IDisposable
{
    private readonly string _modelPath;
    private readonly int _threads;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("colm-cluster-");
    private readonly List<SiloProcess> _silos = [];

    private PrivateCluster(string modelPath, int threads)
    {
        (_modelPath, _threads) = (modelPath, threads);
        Membership = ClusterMembership.Parse($"file={Path.Combine(_folder.FullName, "membership.json")}");
    }

    public ClusterMembership Membership { get; }

    /// <summary>The silos, in the order of their start.</summary>
    public IReadOnlyList<SiloProcess> Silos => _silos;

    /// <summary>Starts silos.</summary>
    /// <param name="modelPath">The zip of their model.</param>
    /// <param name="count">How many.</param>
    /// <param name="threads">Threads of each one's arithmetic.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public static async Task<PrivateCluster> StartAsync(
        string modelPath, int count, int threads, CancellationToken cancellationToken)
    {
        var cluster = new PrivateCluster(modelPath, threads);
        try
        {
            cluster._silos.AddRange(
                await SiloProcess.StartAsync(count, modelPath, cluster.Membership, threads, cancellationToken));
            foreach (var silo in cluster._silos)
                Console.WriteLine(silo.Line);
            return cluster;
        }
        catch
        {
            cluster.Dispose();
            throw;
        }
    }

    /// <summary>Starts another one.</summary>
    public async Task JoinAsync(CancellationToken cancellationToken)
    {
        var silo = await SiloProcess.StartAsync(_modelPath, Membership, _threads, cancellationToken);
        _silos.Add(silo);
        Console.WriteLine(silo.Line);
    }

    public void Dispose()
    {
        Parallel.ForEach(_silos, silo => silo.Dispose());
        _folder.Delete(recursive: true);
    }
}
