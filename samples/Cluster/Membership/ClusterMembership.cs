using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.Messaging;
using StackExchange.Redis;

namespace ClusterSample.Membership;

/// <summary>Where the silos of a cluster find each other, and clients find them.</summary>
internal abstract record ClusterMembership
{
    private const string Id = "colm";

    /// <summary>A file of this machine, for processes of one user on it.</summary>
    public static string DefaultPath => Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create),
        "colm-cluster", "membership.json");

    /// <summary>Reads <c>file=PATH</c> or <c>redis=HOST:PORT</c>.</summary>
    /// <exception cref="FormatException">It is neither.</exception>
    public static ClusterMembership Parse(string text) => text.Split('=', 2) switch
    {
        ["file", { Length: > 0 } path] => new InFile(Path.GetFullPath(path)),
        ["redis", { Length: > 0 } configuration] => new InRedis(configuration),
        _ => throw new FormatException($"--membership must be file=PATH or redis=HOST:PORT, found '{text}'."),
    };

    /// <summary>Makes a silo a member.</summary>
    public void Configure(ISiloBuilder silo)
    {
        silo.Configure<ClusterOptions>(Name);
        Join(silo);
    }

    /// <summary>Lets a client find the silos.</summary>
    public void Configure(IClientBuilder client)
    {
        client.Configure<ClusterOptions>(Name);
        Find(client);
    }

    /// <summary>Names the cluster.</summary>
    public static void Name(ClusterOptions options) => (options.ClusterId, options.ServiceId) = (Id, Id);

    protected abstract void Join(ISiloBuilder silo);

    protected abstract void Find(IClientBuilder client);

    /// <summary>In a file, see <see cref="FileMembershipTable"/>.</summary>
    internal sealed record InFile(string FilePath) : ClusterMembership
    {
        public override string ToString() => $"file={FilePath}";

        protected override void Join(ISiloBuilder silo) => silo.Services.AddSingleton<IMembershipTable>(
            _ => new FileMembershipTable(new MembershipFile(FilePath)));

        protected override void Find(IClientBuilder client) => client.Services.AddSingleton<IGatewayListProvider>(
            _ => new FileGatewayListProvider(new MembershipFile(FilePath)));
    }

    /// <summary>In Redis, by Orleans's own provider.</summary>
    internal sealed record InRedis(string Configuration) : ClusterMembership
    {
        public override string ToString() => $"redis={Configuration}";

        protected override void Join(ISiloBuilder silo) =>
            silo.UseRedisClustering(options => options.ConfigurationOptions = ConfigurationOptions.Parse(Configuration));

        protected override void Find(IClientBuilder client) =>
            client.UseRedisClustering(options => options.ConfigurationOptions = ConfigurationOptions.Parse(Configuration));
    }
}
