using System.CommandLine;
using Microsoft.ML.CoLM;

namespace Benchmarks;

/// <summary>Resident memory of a process as it runs a sweep of many trials.</summary>
/// <remarks>
/// The compiler goes over code again while it runs, for some minutes, and what it makes and needs for that is 20 MiB of what is
/// resident: with <c>DOTNET_TieredCompilation=0</c> that is over before the tenth trial, and what is left is the sweep's.
/// </remarks>
internal sealed class SweepMemoryCommand : Benchmark
{
    private const int Candidates = 50; // of two trials each
    private const int First = 10;

    private readonly Option<DirectoryInfo> _model = new Option<DirectoryInfo>("--model")
    {
        Description = "LLaMA folder of one chain",
        HelpName = "FOLDER",
        Required = true,
    }.AcceptExistingOnly();

    public SweepMemoryCommand() : base("sweep-memory", "Resident memory over a sweep of 100 trials, against its tenth's (Linux).") =>
        Offer(_model);

    protected override Report Measure(ParseResult result)
    {
        using var work = new SweepWork(result.GetRequiredValue(_model));
        var looks = new List<double>();
        using var found = work.Create(Candidates, measuresLatency: true).SetMonitor(new Looks(looks)).Run();
        var kept = found.Trials.Count(trial => trial.Model is not null);
        var report = new Report("Resident memory after each trial of a sweep", new Dictionary<string, object>
        {
            ["model"] = result.GetRequiredValue(_model).FullName,
            ["trials"] = found.Trials.Count,
            ["models kept"] = kept,
        });
        var basis = new Samples([looks[First - 1]]);
        report.Add($"after trial {First}", basis, "MiB", basis);
        report.Add("the most after it", new Samples([looks.Skip(First).Max()]), "MiB", basis);
        report.Add("after the last", new Samples([looks[^1]]), "MiB", basis);
        return report;
    }

    private sealed class Looks(List<double> looks) : IProgress<ChainTrial>
    {
        public void Report(ChainTrial value)
        {
            looks.Add(ResidentMemory.Now());
            if (looks.Count % First == 0)
                Console.WriteLine(FormattableString.Invariant($"After trial {looks.Count}: {looks[^1]:F1} MiB"));
        }
    }
}
