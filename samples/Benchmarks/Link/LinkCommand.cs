using System.CommandLine;
using System.Diagnostics;

namespace Benchmarks.Link;

/// <summary>
/// Joins two network namespaces by a link of a stated rate and delay, imitated by this process, and runs a command at one end:
/// for measuring MPI over a network that the machine does not have. Takes Linux and root.
/// </summary>
internal sealed class LinkCommand : Command
{
    private const string Here = "10.77.0.1";
    private const string There = "10.77.0.2";
    private const string Network = "10.77.0.0/24";
    private const double FastestRate = 100_000; // Mbit/s
    private const double LongestDelay = 1000; // ms
    private const int ShortestMtu = 576; // of IPv4
    private const int LongestMtu = 65_535;
    private const double NotableLateness = 200; // us
    private const int NotablePackets = 1000; // fewer may be late by chance
    private const int Interrupted = 130; // a shell's exit code

    private readonly Option<double> _rate = Amount("--rate", "megabits a second, each way", "MBITS", FastestRate, zero: false);
    private readonly Option<double> _delay = Amount("--delay", "one way; a round trip takes twice as long", "MS", LongestDelay, zero: true);

    private readonly Option<int> _mtu = new("--mtu")
    {
        Description = "bytes of the longest packet",
        HelpName = "BYTES",
        DefaultValueFactory = _ => 9000,
    };

    private readonly Argument<string[]> _command = new("command")
    {
        Description = "what to run at one end, behind --; Open MPI 4's mpirun places its ranks at both ends in turns",
        Arity = ArgumentArity.OneOrMore,
    };

    public LinkCommand() : base("link", "Runs a command, such as mpirun, over an imitated network of a stated rate and delay (Linux, root).")
    {
        _mtu.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < ShortestMtu or > LongestMtu)
                result.AddError($"--mtu must be from {ShortestMtu} to {LongestMtu}, found {result.GetValueOrDefault<int>()}.");
        });
        Options.Add(_rate);
        Options.Add(_delay);
        Options.Add(_mtu);
        Arguments.Add(_command);
        SetAction(result => Run(
            new(result.GetValue(_rate), result.GetValue(_delay), result.GetValue(_mtu)), result.GetRequiredValue(_command)));
    }

    private static int Run(LinkSpeed speed, string[] command)
    {
        if (!OperatingSystem.IsLinux() || Libc.GetEffectiveUser() != 0)
            throw new InvalidOperationException("A link takes Linux and root.");
        using var run = new LinkRun();
        var name = $"colm-{Environment.ProcessId}";
        using var here = new LinkEnd($"{name}-a", Here, speed.Mtu);
        using var there = new LinkEnd($"{name}-b", There, speed.Mtu);
        using var agent = new MpiAgent(Here, There, there.Name, Network);
        LinkDirection[] directions = [new(here.Device, there.Device, speed), new(there.Device, here.Device, speed)];
        using var stop = new CancellationTokenSource();
        Task[] link = [.. directions.Select(direction => direction.Start(stop.Token))];
        try
        {
            if (run.IsAsked)
                return Interrupted;
            var clock = Stopwatch.StartNew();
            var used = Environment.CpuUsage.TotalTime;
            using var process = IpTool.Execute(here.Name, command, agent.Environment);
            var code = run.Wait(process, link);
            used = Environment.CpuUsage.TotalTime - used;
            stop.Cancel();
            Task.WaitAll(link);
            directions[0].Traffic.Drop(here.CountUnread());
            directions[1].Traffic.Drop(there.CountUnread());
            Report(speed, directions, used / clock.Elapsed);
            return code;
        }
        finally
        {
            stop.Cancel();
            Task.WaitAny(Task.WhenAll(link)); // devices are not to go away under them
        }
    }

    private static void Report(LinkSpeed speed, LinkDirection[] directions, double cores)
    {
        Console.Error.WriteLine($"Link of {speed}; it took {cores:F2} of a core");
        Console.Error.WriteLine($"There: {directions[0].Traffic}");
        Console.Error.WriteLine($"Back:  {directions[1].Traffic}");
        if (directions.Any(direction => direction.Traffic is { Packets: >= NotablePackets, MeanLateness: > NotableLateness }))
            Console.Error.WriteLine("Packets were late: this machine could not keep up with the link, which was slower than it says.");
    }

    private static Option<double> Amount(string name, string description, string unit, double most, bool zero)
    {
        var option = new Option<double>(name) { Description = description, HelpName = unit, Required = true };
        option.Validators.Add(result =>
        {
            var value = result.GetValueOrDefault<double>();
            if (!(value <= most && (value > 0 || (zero && value == 0))))
                result.AddError($"{name} must be {(zero ? "from 0 to" : "above 0 and at most")} {most}, found {value}.");
        });
        return option;
    }
}
