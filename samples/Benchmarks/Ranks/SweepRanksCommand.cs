using System.CommandLine;
using System.Diagnostics;
using Microsoft.ML.CoLM;

namespace Benchmarks;

/// <summary>A sweep of trainings over several ranks, of one thread each, against the same sweep of one rank.</summary>
internal sealed class SweepRanksCommand : Benchmark
{
    private const string Seconds = "the sweep";

    private readonly Option<DirectoryInfo> _model = new Option<DirectoryInfo>("--model")
    {
        Description = "LLaMA folder of one chain",
        HelpName = "FOLDER",
        Required = true,
    }.AcceptExistingOnly();

    private readonly Option<int> _trials = CommonOptions.Count("--trials", "candidates, each trained once", byDefault: 12);
    private readonly Option<int> _steps = CommonOptions.Count("--steps", "steps of a training", byDefault: 300);
    private readonly Option<int> _ranks = CommonOptions.Count("--ranks", "ranks", byDefault: 2);
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 3);

    public SweepRanksCommand() : base("sweep-ranks", "A sweep of trainings over several ranks, against one rank's, over MPI.") =>
        Offer(_model, _trials, _steps, _ranks, _rounds);

    protected override Report? Measure(ParseResult result)
    {
        if (RankProcesses.AreThese)
            return MeasureHere(result);
        var ranks = result.GetValue(_ranks);
        var (one, several) = (new List<double>(), new List<double>());
        for (var round = 0; round < result.GetValue(_rounds); round++)
        {
            one.Add(RankProcesses.Measure(ranks: 1, threads: 1)[Seconds]);
            several.Add(RankProcesses.Measure(ranks, threads: 1)[Seconds]);
        }
        var report = NewReport(result);
        var alone = new Samples(one);
        report.Add("1 rank of 1 thread", alone, "s", basis: alone);
        report.Add($"{ranks} ranks of 1 thread", new Samples(several), "s", basis: alone);
        report.Add("times as fast", alone.RelativeTo(new Samples(several)), "");
        return report;
    }

    private Report? MeasureHere(ParseResult result)
    {
        using var communicator = Communicator.FromMpi();
        using var work = new SweepWork(result.GetRequiredValue(_model), result.GetValue(_steps));
        communicator.Barrier(); // libraries and model are loaded
        var start = Stopwatch.GetTimestamp();
        using (work.CreateForRanks(result.GetValue(_trials), communicator).Run())
        {
            var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            var report = NewReport(result);
            report.Add(Seconds, new Samples([seconds]), "s");
            return communicator.Rank == 0 ? report : null;
        }
    }

    private Report NewReport(ParseResult result) => new($"A sweep of {result.GetValue(_trials)} trainings", new Dictionary<string, object>
    {
        ["model"] = result.GetRequiredValue(_model).FullName,
        ["steps"] = result.GetValue(_steps),
    });
}
