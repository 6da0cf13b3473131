using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using ClusterSample.Client;
using Microsoft.ML;
using Samples;
using TorchSharp;

namespace ClusterSample.Commands;

/// <summary>What a cluster of two silos with a thread each costs beside one process with two threads.</summary>
internal static class MeasureCommand
{
    private const int SiloCount = 2;

    public static Command Create()
    {
        var model = CommonOptions.Model();
        var rows = CommonOptions.Number("--rows", "generated stories to score", byDefault: 10_000);
        var block = CommonOptions.OptionalNumber("--block", "rows of a block, a multiple of the model's batch size");
        var runs = CommonOptions.Number("--runs", "how often each is timed", byDefault: 5);
        var command = new Command("measure",
            "Times two silos of one thread against scoring here with two, in turns; then kills a silo, has a third join, and compares.")
        {
            model, rows, block, runs,
        };
        SampleCommand.SetAction(command, (result, cancellation) => RunAsync(result.GetRequiredValue(model).FullName,
            result.GetValue(rows), result.GetValue(block), result.GetValue(runs), cancellation).GetAwaiter().GetResult());
        return command;
    }

    private static async Task RunAsync(string path, int rowCount, int? block, int runs, CancellationToken cancellationToken)
    {
        using var file = ModelFile.Load(path, cancellationToken);
        using var cluster = await PrivateCluster.StartAsync(path, SiloCount, threads: 1, cancellationToken);
        var rows = Rows.Stories(file.MLContext, rowCount);
        var options = new ClientOptions { Membership = cluster.Membership, BlockSize = block };
        var (here, there) = (new List<double>(), new List<double>());
        await using (var scorer = await ClusterScorer.ConnectAsync(file, options, cancellationToken))
        {
            var (local, remote) = (file.Model.Transform(rows), scorer.Transform(rows));
            // The first run of each is to warm up.
            for (var run = 0; run <= runs; run++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                // It holds for the thread that calls it.
                torch.set_num_threads(SiloCount);
                var localSeconds = Time(local, cancellationToken);
                var remoteSeconds = Time(remote, cancellationToken);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{(run == 0 ? "warm-up" : $"run {run}")}: here {localSeconds:F2} s, on {SiloCount} silos {remoteSeconds:F2} s"));
                if (run > 0)
                {
                    here.Add(localSeconds);
                    there.Add(remoteSeconds);
                }
            }
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"median seconds: here {Median(here):F2} s, on {SiloCount} silos {Median(there):F2} s; median of the ratios " +
            $"{Median([.. here.Zip(there, (mine, theirs) => theirs / mine)]):F3}"));
        Console.WriteLine("One silo is killed, a third joins:");
        var changes = new Changes(cluster, kills: true, joins: true, rowCount / 4, cancellationToken);
        await Job.RunAsync(file, rows, options, changes, @out: null, compares: true, cancellationToken);
    }

    private static double Time(IDataView view, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        Job.ReadAll(view, cancellationToken);
        return clock.Elapsed.TotalSeconds;
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        return (values[(values.Count - 1) / 2] + values[values.Count / 2]) / 2;
    }
}
