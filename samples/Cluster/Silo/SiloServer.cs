using System.Net;
using System.Net.Sockets;
using ClusterSample.Membership;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;

namespace ClusterSample.Silo;

/// <summary>A silo in this process, until it is stopped.</summary>
internal static class SiloServer
{
    /// <summary>What a silo's line says when clients may come; what follows is its name and its process.</summary>
    public const string Ready = "Ready:";

    // For the block that is being scored when it is to stop.
    private static readonly TimeSpan ShutdownPatience = TimeSpan.FromSeconds(5);

    /// <summary>Runs it.</summary>
    /// <exception cref="IOException">A port is in use.</exception>
    /// <exception cref="InvalidOperationException">The membership is not to be had.</exception>
    public static async Task RunAsync(SiloSettings settings, CancellationToken cancellationToken)
    {
        var (port, gatewayPort) = (Free(settings.Address, settings.Port), Free(settings.Address, settings.GatewayPort));
        var name = FormattableString.Invariant($"{settings.Address}:{gatewayPort}");
        using var model = new SiloModel(
            ModelFile.Load(settings.ModelPath, cancellationToken), name, settings.ChainCount, settings.Threads);
        using var host = new HostBuilder()
            .ConfigureLogging(logging => Log(logging, settings.IsVerbose))
            .ConfigureServices(services => services.AddSingleton(model)
                .Configure<HostOptions>(options => options.ShutdownTimeout = ShutdownPatience))
            .UseOrleans(silo =>
            {
                settings.Membership.Configure(silo);
                silo.ConfigureEndpoints(settings.Address, port, gatewayPort)
                    .Configure<SiloOptions>(options => options.SiloName = name)
                    .Configure<GrainCollectionOptions>(options => options.DeactivationTimeout = ShutdownPatience)
                    .Configure<ClusterMembershipOptions>(Liveness.Configure);
            })
            .Build();
        await StartAsync(host, settings, cancellationToken);
        try
        {
            Console.WriteLine($"{Ready} silo {name}, process {Environment.ProcessId}, model {model.Description.ModelHash}");
            // Orleans stops the host by itself where the others have declared this silo dead.
            await host.WaitForShutdownAsync(cancellationToken);
        }
        finally
        {
            await host.StopAsync(CancellationToken.None);
        }
    }

    private static async Task StartAsync(IHost host, SiloSettings settings, CancellationToken cancellationToken)
    {
        try
        {
            await host.StartAsync(cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Of Redis, of Orleans, or of what either of them uses.
            throw new InvalidOperationException($"The silo does not join its cluster ({settings.Membership}): {e.Message}", e);
        }
    }

    private static void Log(ILoggingBuilder logging, bool isVerbose)
    {
        if (isVerbose)
            logging.AddSimpleConsole(console => console.SingleLine = true).AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
    }

    /// <summary>A port that nothing listens on; Orleans itself would say less of one that is in use.</summary>
    private static int Free(IPAddress address, int port)
    {
        try
        {
            using var listener = new TcpListener(address, port);
            listener.Start();
            return ((IPEndPoint)listener.LocalEndpoint).Port;
        }
        catch (SocketException e)
        {
            throw new IOException(FormattableString.Invariant($"Cannot listen on {address}:{port}: {e.Message}."), e);
        }
    }
}
