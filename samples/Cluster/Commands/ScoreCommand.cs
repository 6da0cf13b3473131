using System.CommandLine;
using ClusterSample.Client;
using Microsoft.ML;
using Samples;

namespace ClusterSample.Commands;

/// <summary>Scores rows on the silos that run, or on silos of its own.</summary>
internal static class ScoreCommand
{
    private const int SilosByDefault = 2;

    public static Command Create()
    {
        var model = CommonOptions.Model();
        var membership = CommonOptions.Membership();
        var data = new Option<FileInfo>("--data")
        {
            Description = "texts to score, JSON lines with \"text\"; without it, generated stories",
        }.AcceptExistingOnly();
        var rows = CommonOptions.Number("--rows", "generated stories to score", byDefault: 10_000);
        var block = CommonOptions.OptionalNumber("--block", "rows of a block, a multiple of the model's batch size; without it, four batches");
        var inFlight = CommonOptions.Number("--in-flight", "blocks that are read ahead at most", new SchedulerOptions().InFlight);
        var attempts = CommonOptions.Number(
            "--attempts", "silos that a block may be lost with before it is given up", new SchedulerOptions().Attempts);
        var chainCount = CommonOptions.OptionalNumber("--chain-count", "chains to score with; without it, as the silos were started");
        var wait = CommonOptions.Number("--wait", "seconds to wait for a silo", (int)new SchedulerOptions().Wait.TotalSeconds);
        var timeout = CommonOptions.Number(
            "--timeout", "seconds that a silo may take for a block", (int)TimeSpan.FromMinutes(10).TotalSeconds);
        var silos = CommonOptions.OptionalNumber("--silos", "silos to start, in a cluster of their own; without it, those that run score");
        var threads = CommonOptions.Number("--threads", "threads of each silo that is started", byDefault: 1);
        var kill = new Option<bool>("--kill-one") { Description = "kills a silo when a quarter of the rows is scored; starts two by default" };
        var join = new Option<bool>("--join-one") { Description = "has another silo join then; starts two by default" };
        var compare = new Option<bool>("--compare") { Description = "scores here, too, and compares" };
        var @out = new Option<FileInfo>("--out") { Description = "file of tab-separated values to write" };
        var command = new Command("score", "Scores rows on the silos that hold the model.")
        {
            model, membership, data, rows, block, inFlight, attempts, chainCount, wait, timeout, silos, threads, kill, join,
            compare, @out,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(@out) is not null && result.GetResult(compare) is not null)
                result.AddError("Give --out or --compare, not both.");
            if (result.GetResult(silos) is not null && result.GetResult(membership) is not null)
                result.AddError("Give --silos or --membership, not both: silos that are started have a cluster of their own.");
        });
        SampleCommand.SetAction(command, (result, cancellation) =>
        {
            using var file = ModelFile.Load(result.GetRequiredValue(model).FullName, cancellation);
            var view = result.GetValue(data) is { } texts ? Rows.Texts(file.MLContext, texts.FullName)
                : Rows.Stories(file.MLContext, result.GetValue(rows));
            var (kills, joins) = (result.GetValue(kill), result.GetValue(join));
            var options = new ClientOptions
            {
                Membership = CommonOptions.MembershipOf(result.GetValue(membership)),
                ChainCount = result.GetValue(chainCount),
                BlockSize = result.GetValue(block),
                BlockTimeout = TimeSpan.FromSeconds(result.GetValue(timeout)),
                Scheduling = new()
                {
                    InFlight = result.GetValue(inFlight),
                    Attempts = result.GetValue(attempts),
                    Wait = TimeSpan.FromSeconds(result.GetValue(wait)),
                },
            };
            // Before any process is started.
            ClusterScorer.Check(file, options, view.Schema);
            var count = result.GetValue(silos) ?? (kills || joins ? SilosByDefault : 0);
            using var cluster = count == 0 ? null
                : PrivateCluster.StartAsync(file.Path, count, result.GetValue(threads), cancellation).GetAwaiter().GetResult();
            if (cluster is not null)
                options = options with { Membership = cluster.Membership };
            var changes = cluster is null || !(kills || joins) ? null
                : new Changes(cluster, kills, joins, result.GetValue(rows) / 4, cancellation);
            Job.RunAsync(file, view, options, changes, result.GetValue(@out)?.FullName, result.GetValue(compare), cancellation)
                .GetAwaiter().GetResult();
        });
        return command;
    }
}
