using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Spectre.Console;

namespace Benchmarks;

/// <summary>A training step behind a frozen first chain, against one that trains all chains of the same model.</summary>
internal static class TrainStep
{
    private const int WarmUpSteps = 3;

    public static void Run(DirectoryInfo modelFolder, int[] addedChains, bool kvSharing, int rounds, int steps)
    {
        using var model = CoLMModel.Load(modelFolder.FullName);
        var grown = model.Config with
        {
            Layout = new ChainLayout([.. model.Config.Layout.Heads, .. addedChains]),
            KvSharing = kvSharing,
        };
        var length = Math.Min(256, model.Config.ContextLength);
        var (frozen, all, ratios) = (new Samples(), new Samples(), new Samples());
        for (var round = 0; round < rounds; round++)
        {
            var one = Measure(new() { Model = model, AddedChains = addedChains, KvSharing = kvSharing }, length, steps);
            var other = Measure(
                new() { Architecture = grown, TokenizerFolder = modelFolder.FullName }, length, steps);
            frozen.Add(one);
            all.Add(other);
            ratios.Add(one / other);
        }
        var tokens = 16 * length;
        AnsiConsole.Write(new Table()
            .Title($"A step of 16 x {length} tokens, layout {{{grown.Layout}}}, kv sharing {kvSharing}")
            .AddColumns("Trained", "Milliseconds", "Tokens/s")
            .AddRow("later chains", frozen.Text("F0"), $"{tokens / frozen.Median * 1000:F0}")
            .AddRow("all chains", all.Text("F0"), $"{tokens / all.Median * 1000:F0}")
            .AddRow("ratio", ratios.Text("F3"), ""));
    }

    private static double Measure(ChainExpansionEstimator.Options options, int length, int steps)
    {
        var mlContext = new MLContext(seed: 1);
        var times = new Samples();
        var clock = new Stopwatch();
        options.MaxSteps = WarmUpSteps + steps;
        options.SequenceLength = length;
        options.Progress = new StepProgress(progress =>
        {
            if (progress.Step > WarmUpSteps)
                times.Add(clock.Elapsed.TotalMilliseconds);
            clock.Restart();
        });
        mlContext.Transforms.ChainExpansion(options)
            .Fit(mlContext.Data.LoadFromEnumerable(Texts.Rows(count: 200, wordsEach: 200)))
            .Dispose();
        return times.Median;
    }

    // System.Progress would report on another thread, later.
    private sealed class StepProgress(Action<TrainingProgress> report) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => report(value);
    }
}
