using System.CommandLine;
using Microsoft.ML.CoLM;

namespace Benchmarks;

/// <summary>
/// What a user does with a model from its download to its deployment, each with time, peak memory and live tensors: load a
/// sharded folder, grow a chain and train it, tune it for a label, score, generate, save as a folder and as a zip, and load both.
/// </summary>
internal sealed class WholeWayCommand : Benchmark
{
    private const int Shards = 3;
    private const string Prompt = "the little dog ran to a park";

    private readonly Option<string> _shape = new Option<string>("--shape")
    {
        Description = "sizes of the model, whose weights are random",
        DefaultValueFactory = _ => "1b",
    }.AcceptOnlyFromAmong([.. ModelShape.All.Select(shape => shape.Name)]);
    private readonly Option<string> _dataType = new Option<string>("--dtype")
    {
        Description = "the type of weights and features",
        DefaultValueFactory = _ => "bfloat16",
    }.AcceptOnlyFromAmong("float32", "bfloat16");
    private readonly Option<ChainLayout> _chains = new("--chains")
    {
        Description = "attention heads of the chains that are added",
        HelpName = "C1,C2,...",
        CustomParser = CommonOptions.ParseLayout,
        DefaultValueFactory = _ => new ChainLayout(8),
    };
    private readonly Option<int> _steps = CommonOptions.Count("--steps", "steps of training, and of tuning", byDefault: 20);
    private readonly Option<int> _batch = CommonOptions.Count("--batch", "windows of a step", byDefault: 4);
    private readonly Option<int> _sequence = CommonOptions.Count("--sequence", "tokens of a window", byDefault: 256);
    private readonly Option<int> _rows = CommonOptions.Count("--rows", "rows to score", byDefault: 64);
    private readonly Option<int> _words = CommonOptions.Count("--words", "words of a row to score", byDefault: 8);
    private readonly Option<int> _newTokens = CommonOptions.Count("--new-tokens", "tokens to generate", byDefault: 32);
    private readonly Option<FileInfo> _data = new Option<FileInfo>("--data")
    {
        Description = "texts to train on: JSON lines with a text [default: made-up words]",
        HelpName = "FILE",
    }.AcceptExistingOnly();
    private readonly Option<DirectoryInfo> _folder = new Option<DirectoryInfo>("--folder")
    {
        Description = "where a folder is made for the models, three times their size, and deleted [default: the temporary one]",
        HelpName = "FOLDER",
    }.AcceptExistingOnly();

    public WholeWayCommand() : base("whole-way", "Load, grow, tune, score, generate, save and load again: time and peak memory " +
        "of each (Linux).") =>
        Offer(_shape, _dataType, _chains, _steps, _batch, _sequence, _rows, _words, _newTokens, _data, _folder);

    protected override Report Measure(ParseResult result)
    {
        var place = result.GetValue(_folder)?.FullName ?? Path.GetTempPath();
        var folder = Directory.CreateDirectory(Path.Combine(place, $"colm-whole-way-{Guid.NewGuid():N}"));
        try
        {
            return Measure(result, folder);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private Report Measure(ParseResult result, DirectoryInfo folder)
    {
        var shape = ModelShape.All.Single(shape => shape.Name == result.GetRequiredValue(_shape));
        var settings = new Dictionary<string, object>
        {
            ["model"] = $"random {shape.Name}",
            ["chains"] = $"{result.GetValue(_chains)}",
            ["dtype"] = result.GetRequiredValue(_dataType),
            ["steps"] = result.GetValue(_steps),
            ["batch"] = result.GetValue(_batch),
            ["sequence"] = result.GetValue(_sequence),
        };
        var report = new Report($"The whole way of {shape.Name}, memory in MiB", settings);
        var meter = new StageMeter(report);
        using var way = new WholeWay(meter, folder.FullName, CommonOptions.ToDataType(result.GetRequiredValue(_dataType)));

        way.Make(shape, Shards);
        way.Load();
        var texts = TrainingTexts(result);
        var expansion = new ChainExpansionEstimator.Options { AddedChains = [.. result.GetRequiredValue(_chains).Heads] };
        way.Expand(texts, With(result, expansion));
        way.Tune(texts, With(result, new ChainTuningEstimator.Options()));
        var scoring = way.Score(Texts.Rows(result.GetValue(_rows), result.GetValue(_words)));
        var generation = way.Generate(Prompt, result.GetValue(_newTokens));
        way.Save();
        settings["loaded again"] = way.LoadAgain() ? "equal" : "NOT EQUAL";
        settings["peaks"] = meter.HasHeld ? "within what is allowed" : "ABOVE what is allowed";
        report.Add("score, speed", new Samples([scoring]), "tokens/s");
        report.Add("generate, speed", new Samples([generation]), "tokens/s");
        return report;
    }

    private T With<T>(ParseResult result, T options) where T : TrainingOptions
    {
        (options.MaxSteps, options.BatchSize) = (result.GetValue(_steps), result.GetValue(_batch));
        (options.SequenceLength, options.Seed) = (result.GetValue(_sequence), 1);
        return options;
    }

    // A window for each of a step: the made words have more than a token each. What the labels are makes no difference.
    private LabelledDocument[] TrainingTexts(ParseResult result)
    {
        var texts = result.GetValue(_data) is { } file ? Document.Read(file)
            : Texts.Rows(result.GetValue(_steps) * result.GetValue(_batch), result.GetValue(_sequence));
        return [.. texts.Select((text, i) => new LabelledDocument { Text = text.Text, Label = i % 2 == 0 })];
    }
}
