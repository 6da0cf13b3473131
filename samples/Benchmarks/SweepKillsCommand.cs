using System.CommandLine;
using System.Diagnostics;
using Microsoft.ML.CoLM;

namespace Benchmarks;

/// <summary>
/// Kills a sweep at random moments, starts it again each time, and compares the trials that it ends with and its best model
/// with those of a sweep that was left alone.
/// </summary>
internal sealed class SweepKillsCommand : Benchmark
{
    private const int Candidates = 120; // of two trials each
    private const double LongestWait = 6; // seconds; a process takes some for its first candidate, and less than one for others
    private const string Begins = "begins";

    private readonly Option<DirectoryInfo> _model = new Option<DirectoryInfo>("--model")
    {
        Description = "LLaMA folder of one chain",
        HelpName = "FOLDER",
        Required = true,
    }.AcceptExistingOnly();

    private readonly Option<int> _kills = CommonOptions.Count("--kills", "how often it is killed", byDefault: 20);

    // The command runs itself with it.
    private readonly Option<string> _child = new("--child") { Hidden = true };

    public SweepKillsCommand() : base("sweep-kills", "Kills a sweep at random moments: the trials and the best model that it ends with.") =>
        Offer(_model, _kills, _child);

    protected override Report? Measure(ParseResult result)
    {
        using var work = new SweepWork(result.GetRequiredValue(_model));
        if (result.GetValue(_child) is { } folder)
        {
            Console.WriteLine(Begins);
            work.Create(Candidates, measuresLatency: false).SetCheckpoint(folder).SetMonitor(new Teller()).Run().Dispose();
            return null;
        }
        var clock = Stopwatch.StartNew();
        var whole = work.Create(Candidates, measuresLatency: false).Run();
        var alone = clock.Elapsed;
        var checkpoints = Directory.CreateTempSubdirectory("colm-sweep-");
        try
        {
            var told = KillAll(result, checkpoints.FullName);
            var found = work.Create(Candidates, measuresLatency: false).SetCheckpoint(checkpoints.FullName).Run();
            string[] expected = [.. whole.Trials.Select(SweepWork.Describe)];
            string[] trials = [.. found.Trials.Select(SweepWork.Describe)];
            var report = new Report("A sweep that is killed, against one that is not", new Dictionary<string, object>
            {
                ["model"] = result.GetRequiredValue(_model).FullName,
                ["kills"] = result.GetValue(_kills),
                ["seconds alone"] = Math.Round(alone.TotalSeconds, 1),
                ["best model predicts the same"] = work.Predictions(whole.Best) == work.Predictions(found.Best),
            });
            report.Add("trials", new Samples([trials.Length]), "", new Samples([expected.Length]));
            report.Add("the same", new Samples([trials.Zip(expected).Count(pair => pair.First == pair.Second)]), "", new Samples([expected.Length]));
            report.Add("told twice", new Samples([told.Count - told.Distinct().Count()]), "");
            whole.Dispose();
            found.Dispose();
            return report;
        }
        finally
        {
            checkpoints.Delete(recursive: true);
        }
    }

    private List<string> KillAll(ParseResult result, string folder)
    {
        var random = new Random(1);
        var told = new List<string>();
        var kills = result.GetValue(_kills);
        for (var kill = 0; kill <= kills; kill++)
        {
            using var process = Start(result, folder);
            while (process.StandardOutput.ReadLine() is { } line && line != Begins)
            {
            }
            if (kill < kills)
            {
                if (!process.WaitForExit(TimeSpan.FromSeconds(random.NextDouble() * LongestWait)))
                    process.Kill();
            }
            var before = told.Count;
            while (process.StandardOutput.ReadLine() is { } line)
                told.Add(line);
            process.WaitForExit();
            Console.WriteLine($"{(kill < kills ? $"Kill {kill + 1}" : "Left alone")}: {told.Count - before} trials, {told.Count} in all");
        }
        return told;
    }

    private static Process Start(ParseResult result, string folder)
    {
        var program = Path.ChangeExtension(
            typeof(SweepKillsCommand).Assembly.Location, OperatingSystem.IsWindows() ? ".exe" : null);
        return Process.Start(new ProcessStartInfo(program, [.. result.Tokens.Select(token => token.Value), "--child", folder])
        {
            RedirectStandardOutput = true,
        })!;
    }

    private sealed class Teller : IProgress<ChainTrial>
    {
        public void Report(ChainTrial value)
        {
            Console.WriteLine(SweepWork.Describe(value));
            Console.Out.Flush();
        }
    }
}
