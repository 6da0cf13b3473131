using System.CommandLine;
using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>Peak memory, above the weights, of what asks for memory by itself.</summary>
internal sealed class MemoryCommand : Benchmark
{
    private const string Prompt = "prefill";
    private const string Batch = "batch";
    private const string Score = "score";
    private const string Train = "train";

    private readonly ModelOptions _model = new();
    private readonly Option<string> _case = new Option<string>("--case")
    {
        Description = "a prompt's cache without a capacity, texts generated side by side of which each may have many " +
            "tokens and ends after one, a long text scored in one window, or a training step at every scale",
        Required = true,
    }.AcceptOnlyFromAmong(Prompt, Batch, Score, Train);
    private readonly Option<int> _tokens = CommonOptions.Count(
        "--tokens", "tokens of each prompt, of the text, or of a training window", byDefault: 256);
    private readonly Option<int> _newTokens = CommonOptions.Count(
        "--new-tokens", "tokens that a text of the batch may have", byDefault: 2048);
    private readonly Option<int> _count = CommonOptions.Count("--count", "prompts, or windows of a step", byDefault: 64);

    public MemoryCommand() : base("memory", "Peak memory, above the weights, of what asks for memory by itself (Linux).")
    {
        Offer([.. _model.All, _case, _tokens, _newTokens, _count]);
        Validators.Add(_model.Validate);
    }

    protected override Report Measure(ParseResult result)
    {
        using var model = _model.Create(result, CPU);
        var (tokens, count) = (Math.Min(result.GetValue(_tokens), model.Config.ContextLength), result.GetValue(_count));
        Action<int, int> work = result.GetRequiredValue(_case) switch
        {
            Prompt => (length, _) => Generator(model).Prefill(Text(length)).Dispose(),
            Batch => (length, prompts) => Generate(model, length, prompts, result.GetValue(_newTokens)),
            Score => (length, _) => ScoreOne(model, length),
            _ => (length, windows) => TrainStep(model, length, windows),
        };
        work(Math.Min(8, tokens), 1); // code and libtorch's own memory are there now

        var before = ResidentMemory.ResetPeak();
        var start = Stopwatch.GetTimestamp();
        work(tokens, count);
        var time = Stopwatch.GetElapsedTime(start);
        var above = ResidentMemory.Peak() - before;

        var settings = _model.Describe(result, model);
        settings.Add("tokens", tokens);
        settings.Add("count", count);
        var report = new Report($"Memory: {result.GetRequiredValue(_case)}", settings);
        report.Add("weights", new Samples([model.parameters().Sum(p => p.numel() * p.element_size()) / 1048576.0]), "MiB");
        report.Add("peak above the weights", new Samples([above]), "MiB");
        report.Add("time", new Samples([time.TotalSeconds]), "s");
        return report;
    }

    private static TextGenerator Generator(CoLMModel model) => new(model, model.TokenizerFiles!.CreateTokenizer());

    // A token for each letter, behind the one that begins a text.
    private static string Text(int tokens) => new('a', tokens - 1);

    private static void Generate(CoLMModel model, int length, int prompts, int newTokens)
    {
        var options = new GenerationOptions
        {
            MaxNewTokens = newTokens,
            StopTokenIds = [.. Enumerable.Range(0, model.Config.VocabularySize)],
        };
        _ = Generator(model).GenerateBatch([.. Enumerable.Repeat(Text(length), prompts)], options);
    }

    private static void ScoreOne(CoLMModel model, int length)
    {
        var mlContext = new MLContext(seed: 1);
        var data = mlContext.Data.LoadFromEnumerable([new Document { Text = Text(length) }]);
        using var transformer = mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = model }).Fit(data);
        var score = mlContext.Data
            .CreateEnumerable<Benchmarks.Score>(transformer.Transform(data), reuseRowObject: false).Single();
        if (!float.IsFinite(score.LogProbability))
            throw new InvalidOperationException("The score is not a number.");
    }

    private static void TrainStep(CoLMModel model, int length, int windows)
    {
        var random = new Random(1);
        int[] tokens = [.. Enumerable.Range(0, windows * length + 1).Select(_ => random.Next(model.Config.VocabularySize))];
        using var spool = TokenSpool.Write([tokens]);
        var scales = model.Config.Layout.ChainCount;
        var objective = new LanguageModelObjective(model, frozenChains: 0, new TokenWindows(spool, length, seed: 1), windows,
            [.. Enumerable.Repeat(1.0 / scales, scales)]);
        Parameter[] parameters = [.. model.parameters()];
        new Trainer(new ChainExpansionEstimator.Options { BatchSize = windows, MaxSteps = 1 }, validate: null,
            asked: () => StopRequest.None, report: _ => { }).Train(objective, parameters);
    }
}
