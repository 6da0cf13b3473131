using System.CommandLine;
using System.Diagnostics;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Training;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>
/// A training step of several ranks: its time, its exchange and its bytes, of later chains and of all. By itself it starts one
/// rank, several, as many processes without MPI, and one process with as many threads, by turns; started by an MPI launcher it
/// measures as a rank.
/// </summary>
internal sealed class RankStepCommand : Benchmark
{
    /// <summary>The part that Chain Expansion and Chain Tuning train.</summary>
    public const string Later = "later chains";

    /// <summary>Full training.</summary>
    public const string All = "all chains";

    /// <summary>Behind either: the time of one rank's step.</summary>
    public const string Alone = ", 1 rank of 1 thread";

    /// <summary>Behind either: the megabytes that a rank gives to a step's exchange.</summary>
    public const string Sent = ", exchanged by a rank";

    private const string Exchange = ", exchange";

    // A turn's first step makes the optimizer's state.
    private const int WarmUpSteps = 1;
    private const int BatchesOfTokens = 8;

    private readonly GrowthOptions _growth = new();
    private readonly Option<int> _sequence = CommonOptions.Count("--sequence", "tokens of a window", byDefault: 256);
    private readonly Option<int> _batch = CommonOptions.Count("--batch", "windows of a pass, of which each rank computes one", byDefault: 8);
    private readonly Option<int> _steps = CommonOptions.Count("--steps", "steps of a turn that count", byDefault: 3);
    private readonly Option<int> _ranks = CommonOptions.Count("--ranks", "ranks, of one thread each; with 1, that rank alone is measured", byDefault: 2);
    private readonly Option<bool> _later = new("--later")
    {
        Description = "the later chains alone: to train all of a large model takes too much memory",
    };

    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 3);
    private readonly Option<int?> _passes = new("--passes") { Description = "measure in this process, with so many passes", Hidden = true };

    public RankStepCommand() : base(
        "rank-step", "A training step of several ranks against one rank's, over MPI: time, exchange and bytes.")
    {
        Offer([.. _growth.All, _sequence, _batch, _steps, _ranks, _later, _rounds, _passes]);
        Validators.Add(_growth.Validate);
    }

    protected override Report? Measure(ParseResult result)
    {
        if (result.GetValue(_passes) is null && !RankProcesses.AreThese)
            return Compare(result);
        using var communicator = RankProcesses.AreThese ? new MeteredCommunicator(Communicator.FromMpi()) : null;
        return MeasureHere(result, communicator, result.GetValue(_passes) ?? communicator?.Size ?? 1);
    }

    private Report Compare(ParseResult result)
    {
        var ranks = result.GetValue(_ranks);
        List<Dictionary<string, double>> one = [], several = [], apart = [], threads = [];
        for (var round = 0; round < result.GetValue(_rounds); round++)
        {
            one.Add(RankProcesses.Measure(ranks: 1, threads: 1));
            if (ranks == 1)
                continue;
            several.Add(RankProcesses.Measure(ranks, threads: 1));
            apart.Add(RankProcesses.MeasureSideBySide(ranks, _passes.Name, "1"));
            threads.Add(RankProcesses.Measure(ranks: 0, threads: ranks, _passes.Name, $"{ranks}"));
        }
        var report = new Report(
            $"A training step of {result.GetValue(_batch)} x {result.GetValue(_sequence)} tokens a rank", new Dictionary<string, object>
            {
                ["model"] = result.GetValue(_growth.Model.Model)?.FullName ?? result.GetRequiredValue(_growth.Model.Shape),
                ["dtype"] = result.GetRequiredValue(_growth.Model.DataType),
                ["rounds"] = result.GetValue(_rounds),
            });
        string[] parts = result.GetValue(_later) ? [Later] : [All, Later];
        foreach (var what in parts)
        {
            var alone = Of(one, what);
            report.Add(what + Alone, alone, basis: alone);
            if (ranks == 1)
            {
                report.Add(what + Sent, Of(one, what + Sent), "MB", basis: Of(one, parts[0] + Sent));
                continue;
            }
            report.Add($"{what}, {ranks} ranks of 1 thread", Of(several, what), basis: alone);
            // What the machine's cores cost each other, without any exchange.
            report.Add($"{what}, {ranks} processes of 1 thread, side by side", Of(apart, what), basis: alone);
            report.Add($"{what}, 1 process of {ranks} threads, {ranks} passes", Of(threads, what), basis: alone);
            report.Add($"{what}, efficiency of {ranks} ranks", alone.RelativeTo(Of(several, what)), "");
            report.Add($"{what}, efficiency of {ranks} processes", alone.RelativeTo(Of(apart, what)), "");
            report.Add($"{what}{Exchange}, with waiting", Of(several, what + Exchange));
            report.Add($"{what}{Sent}", Of(several, what + Sent), "MB", basis: Of(several, parts[0] + Sent));
        }
        return report;

        static Samples Of(List<Dictionary<string, double>> rounds, string row) => new(rounds.Select(round => round[row]));
    }

    private Report? MeasureHere(ParseResult result, MeteredCommunicator? communicator, int passes)
    {
        var grown = _growth.Grow(result, CPU);
        var (config, frozenChains) = (grown.Config, _growth.FrozenChains(result, grown));
        var batch = result.GetValue(_batch);
        var length = Math.Min(result.GetValue(_sequence), config.ContextLength);
        var random = new Random(1);
        int[] tokens = [.. Enumerable.Range(0, BatchesOfTokens * batch * length + 1).Select(_ => random.Next(config.VocabularySize))];
        using var spool = TokenSpool.Write([tokens]);
        var windows = new TokenWindows(spool, length, seed: 1);

        var settings = _growth.Model.Describe(result, grown);
        (settings["passes"], settings["ranks"]) = (passes, communicator?.Size ?? 1);
        var report = new Report($"A training step of {passes} passes of {batch} x {length} tokens", settings);
        Add(Later, grown, frozenChains);
        if (!result.GetValue(_later))
            Add(All, _growth.Model.CreateRandom(config, result, CPU), frozenChains: 0);
        return communicator is null or { Rank: 0 } ? report : null;

        // One after the other: of large models there is no memory for both.
        void Add(string name, CoLMModel model, int frozenChains)
        {
            using var own = model;
            var (steps, exchanges, bytes) = Train(model, frozenChains, windows, batch, passes, result.GetValue(_steps), communicator);
            report.Add(name, new Samples(steps));
            report.Add(name + Exchange, new Samples(exchanges));
            report.Add(name + Sent, new Samples(bytes), "MB");
        }
    }

    private static (List<double> Steps, List<double> Exchanges, List<double> Megabytes) Train(
        CoLMModel model, int frozenChains, TokenWindows windows, int batch, int passes, int steps, MeteredCommunicator? communicator)
    {
        var options = new ChainExpansionEstimator.Options
        {
            BatchSize = batch,
            MaxSteps = WarmUpSteps + steps,
            GradientAccumulationSteps = passes,
        };
        var trainedScales = model.Config.Layout.ChainCount - frozenChains;
        double[] lastScale = [.. Enumerable.Repeat(0.0, trainedScales - 1), 1];
        var objective = new LanguageModelObjective(model, frozenChains, windows, batch, lastScale);
        Parameter[] parameters = [.. model.parameters().Where(parameter => parameter.requires_grad)];
        var gradients = sizeof(float) * parameters.Sum(parameter => parameter.numel());
        var (times, exchanges, megabytes) = (new List<double>(), new List<double>(), new List<double>());
        var start = Stopwatch.GetTimestamp();
        new Trainer(options, validate: null, asked: () => StopRequest.None, progress =>
        {
            var (milliseconds, bytes) = communicator?.Take() ?? default;
            if (progress.Step > WarmUpSteps)
            {
                times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                exchanges.Add(milliseconds);
                // One rank sends nothing: what it would.
                megabytes.Add((communicator is { Size: > 1 } ? bytes : gradients) / 1e6);
            }
            start = Stopwatch.GetTimestamp();
        }, checkpoints: null, new TrainingRanks(communicator)).Train(objective, parameters);
        return (times, exchanges, megabytes);
    }
}
