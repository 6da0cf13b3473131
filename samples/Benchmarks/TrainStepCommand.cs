using System.CommandLine;
using System.Diagnostics;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Training;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>A training step behind frozen first chains, against one that trains all chains of the same model.</summary>
internal sealed class TrainStepCommand : Benchmark
{
    // A turn's first step makes the optimizer's state.
    private const int WarmUpSteps = 1;
    private const int BatchesOfTokens = 8;

    private readonly GrowthOptions _growth = new();
    private readonly Option<int> _sequence = CommonOptions.Count("--sequence", "tokens of a window", byDefault: 256);
    private readonly Option<int> _batch = CommonOptions.Count("--batch", "windows of a step", byDefault: 16);
    private readonly Option<int> _steps = CommonOptions.Count("--steps", "steps of a turn that count", byDefault: 3);
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 5);

    public TrainStepCommand() : base(
        "train-step", "A step behind a frozen first chain, against one that trains all chains of the same model.")
    {
        Offer([.. _growth.All, _sequence, _batch, _steps, _device, _rounds]);
        Validators.Add(_growth.Validate);
    }

    protected override Report Measure(ParseResult result)
    {
        var device = CommonOptions.ToDevice(result.GetRequiredValue(_device));
        using var grown = _growth.Grow(result, device);
        using var whole = _growth.Model.CreateRandom(grown.Config, result, device);
        var batch = result.GetValue(_batch);
        var length = Math.Min(result.GetValue(_sequence), grown.Config.ContextLength);
        using var spool = TokenSpool.Write([Tokens(grown.Config.VocabularySize, BatchesOfTokens * batch * length + 1)]);
        var windows = new TokenWindows(spool, length, seed: 1);

        var steps = result.GetValue(_steps);
        var frozenChains = _growth.FrozenChains(result, grown);
        var (later, all) = (new List<double>(), new List<double>());
        for (var round = 0; round < result.GetValue(_rounds); round++)
        {
            later.Add(Step(grown, frozenChains, windows, batch, steps));
            all.Add(Step(whole, frozenChains: 0, windows, batch, steps));
        }

        var settings = _growth.Model.Describe(result, grown);
        settings.Add("sequence", length);
        settings.Add("batch", batch);
        settings.Add("rounds", result.GetValue(_rounds));
        var report = new Report($"A training step of {batch} x {length} tokens, {{{grown.Config.Layout}}}", settings);
        var (laterTimes, allTimes) = (new Samples(later), new Samples(all));
        report.Add("later chains", laterTimes, basis: allTimes);
        report.Add("all chains", allTimes, basis: allTimes);
        report.Add("later chains, speed", laterTimes.Select(TokensPerSecond), "tokens/s");
        report.Add("all chains, speed", allTimes.Select(TokensPerSecond), "tokens/s");
        return report;

        double TokensPerSecond(double milliseconds) => batch * length * 1000 / milliseconds;
    }

    // What the tokens are makes no difference to the time they take.
    private static int[] Tokens(int vocabulary, int count)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];
    }

    /// <summary>Milliseconds of a step, the median of a turn.</summary>
    private static double Step(CoLMModel model, int frozenChains, TokenWindows windows, int batch, int steps)
    {
        var options = new ChainExpansionEstimator.Options { BatchSize = batch, MaxSteps = WarmUpSteps + steps };
        var trainedScales = model.Config.Layout.ChainCount - frozenChains;
        double[] lastScale = [.. Enumerable.Repeat(0.0, trainedScales - 1), 1];
        var objective = new LanguageModelObjective(model, frozenChains, windows, batch, lastScale);
        Parameter[] parameters = [.. model.parameters().Where(parameter => parameter.requires_grad)];
        var times = new List<double>();
        var start = Stopwatch.GetTimestamp();
        new Trainer(options, validate: null, asked: () => StopRequest.None, progress =>
        {
            if (progress.Step > WarmUpSteps)
                times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            start = Stopwatch.GetTimestamp();
        }).Train(objective, parameters);
        return new Samples(times).Median;
    }
}
