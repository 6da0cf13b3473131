using System.CommandLine;
using System.Net;
using ClusterSample.Silo;
using Samples;

namespace ClusterSample.Commands;

/// <summary>Runs a silo.</summary>
internal static class SiloCommand
{
    public const string Name = "silo";
    public const string EndsWithInput = "--ends-with-input";

    public static Command Create()
    {
        var model = CommonOptions.Model();
        var membership = CommonOptions.Membership();
        var address = new Option<string>("--address")
        {
            Description = "address to listen on, for silos and clients on other machines",
            DefaultValueFactory = _ => IPAddress.Loopback.ToString(),
        };
        var port = CommonOptions.Number("--port", "port for other silos; 0 for any", byDefault: 0, atLeast: 0);
        var gatewayPort = CommonOptions.Number("--gateway-port", "port for clients; 0 for any", byDefault: 0, atLeast: 0);
        var chainCount = CommonOptions.OptionalNumber(
            "--chain-count", "chains that it scores with unless a client names another number; without it, as the zip says");
        var threads = CommonOptions.Number("--threads", "threads of its arithmetic", Environment.ProcessorCount);
        var verbose = new Option<bool>("--verbose") { Description = "writes Orleans's log to standard error" };
        var endsWithInput = new Option<bool>(EndsWithInput) { Description = "stops when standard input ends" };
        var command = new Command(Name, "Runs a silo that holds a model, until Ctrl+C.")
        {
            model, membership, address, port, gatewayPort, chainCount, threads, verbose, endsWithInput,
        };
        SampleCommand.SetAction(command, (result, cancellation) =>
        {
            if (!IPAddress.TryParse(result.GetRequiredValue(address), out var listensOn))
                throw new FormatException($"--address must be an IP address, found '{result.GetValue(address)}'.");
            var settings = new SiloSettings(result.GetRequiredValue(model).FullName,
                CommonOptions.MembershipOf(result.GetValue(membership)), listensOn, result.GetValue(port),
                result.GetValue(gatewayPort), result.GetValue(chainCount), result.GetValue(threads), result.GetValue(verbose));
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(
                cancellation, result.GetValue(endsWithInput) ? EndOfInput.Watch() : CancellationToken.None);
            SiloServer.RunAsync(settings, stop.Token).GetAwaiter().GetResult();
        });
        return command;
    }
}
