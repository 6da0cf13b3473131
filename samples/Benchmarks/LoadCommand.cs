using System.CommandLine;
using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>
/// Peak memory of saving and loading a model's zip, above its weights, and the time they take. Each is measured in a
/// process of its own, memory by the peak that Linux keeps.
/// </summary>
internal sealed class LoadCommand : Benchmark
{
    private const string Save = "save";
    private const string Load = "load";

    private readonly ModelOptions _model = new();

    // The command runs itself with these.
    private readonly Option<string> _child =
        new Option<string>("--child") { Hidden = true }.AcceptOnlyFromAmong(Save, Load);
    private readonly Option<string> _zip = new("--zip") { Hidden = true };

    public LoadCommand() : base("load", "Peak memory of saving and loading a zip, above the weights (Linux), and time.")
    {
        Offer([.. _model.All, _child, _zip]);
        Validators.Add(_model.Validate);
    }

    protected override Report? Measure(ParseResult result)
    {
        if (result.GetValue(_child) is { } way)
        {
            RunChild(result, way, result.GetRequiredValue(_zip));
            return null;
        }
        var folder = Directory.CreateTempSubdirectory("colm-load-");
        try
        {
            var zip = Path.Combine(folder.FullName, "model.zip");
            var (weights, savedAbove, saveTime) = StartChild(result, Save, zip);
            var (_, loadedAbove, loadTime) = StartChild(result, Load, zip);
            var settings = new Dictionary<string, object>
            {
                ["model"] = result.GetValue(_model.Model)?.FullName ?? $"random {result.GetValue(_model.Shape)}",
                ["dtype"] = result.GetRequiredValue(_model.DataType),
            };
            if (result.GetValue(_model.Layout) is { } layout)
                settings.Add("layout", $"{layout}");
            var report = new Report("Peak memory above the weights", settings);
            var size = new Samples([weights]);
            report.Add("weights", size, "MiB");
            report.Add("save", new Samples([savedAbove]), "MiB", basis: size);
            report.Add("load", new Samples([loadedAbove]), "MiB", basis: size);
            report.Add("save", new Samples([saveTime]), "s");
            report.Add("load", new Samples([loadTime]), "s");
            return report;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    // Prints the weights' size, the peak above them, and the time.
    private void RunChild(ParseResult result, string way, string zip)
    {
        var mlContext = new MLContext(seed: 1);
        using (var small = _model.CreateRandom(Small(), result, CPU))
            Scorer(mlContext, small).Dispose(); // libtorch and ML.NET are in memory now
        double weights, above;
        var clock = new Stopwatch();
        if (way == Save)
        {
            using var model = _model.Create(result, CPU);
            using var transformer = Scorer(mlContext, model);
            weights = Weights(model);
            var before = ResidentMemory.ResetPeak();
            clock.Restart();
            mlContext.Model.Save(transformer, inputSchema: null, zip);
            clock.Stop();
            above = ResidentMemory.Peak() - before;
        }
        else
        {
            var before = ResidentMemory.ResetPeak();
            clock.Restart();
            using var transformer = (ElasticScoringTransformer)mlContext.Model.Load(zip, out _);
            clock.Stop();
            weights = Weights(transformer.Model);
            above = ResidentMemory.Peak() - before - weights;
        }
        ChildRun.Write(weights, above, clock.Elapsed.TotalSeconds);
    }

    private static (double Weights, double Above, double Seconds) StartChild(ParseResult result, string way, string zip)
    {
        var numbers = ChildRun.Numbers([.. result.Tokens.Select(token => token.Value), "--child", way, "--zip", zip]);
        return (numbers[0], numbers[1], numbers[2]);
    }

    private static CoLMConfig Small() => new()
    {
        Layout = new ChainLayout(2),
        VocabularySize = 258,
        HiddenSize = 32,
        IntermediateSize = 64,
        LayerCount = 1,
    };

    private static ElasticScoringTransformer Scorer(MLContext mlContext, CoLMModel model) =>
        mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = model })
            .Fit(mlContext.Data.LoadFromEnumerable(Texts.Rows(count: 1, wordsEach: 1)));

    private static double Weights(CoLMModel model) =>
        model.parameters().Sum(parameter => parameter.numel() * parameter.element_size()) / 1048576.0;
}
