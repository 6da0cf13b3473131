using System.CommandLine;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>
/// What weight formats cost a model that was tuned for a label: accuracy and loss on rows that were not tuned on. The chain is
/// tuned in float32, behind a base in float32 or quantised, and the model is put into each format afterwards.
/// </summary>
internal sealed class TunedFormatsCommand : Benchmark
{
    // What samples/ForgettingStudy chose for Chain Tuning of a model this small, by rows of its own.
    private const double HeadRate = 10;
    private const double WeightDecay = 0.1;
    private const int Batch = 32;
    private const int MostTokens = 256;

    private const string AsTuned = "float32";

    private static readonly string[] Formats = [AsTuned, "bfloat16", "int8", "int4", "int8,float32", "int4,float32", "int4,int8"];
    private static readonly string[] FormatsBehindQuantised = [AsTuned, "float32,int8", "float32,int4"];

    private readonly Option<DirectoryInfo> _model = new Option<DirectoryInfo>("--model")
    {
        Description = "LLaMA folder, the base",
        HelpName = "FOLDER",
        Required = true,
    }.AcceptExistingOnly();
    private readonly Option<FileInfo> _train = RowsOption("--train", "rows to tune on; those that contain a row of --judge are left out");
    private readonly Option<FileInfo> _judge = RowsOption("--judge", "rows to judge by");
    private readonly Option<int> _rows = CommonOptions.Count("--rows", "how many first rows to tune on", byDefault: 4000);
    private readonly Option<int> _epochs = CommonOptions.Count("--epochs", "passes over them", byDefault: 2);
    private readonly Option<ChainLayout> _chains = new("--chains")
    {
        Description = "attention heads of the added chains, which have keys and values of their own; if all are as wide as the base, they " +
            "start as its copies [default: one as wide as the base]",
        HelpName = "C1,C2,...",
        CustomParser = CommonOptions.ParseLayout,
    };
    private readonly Option<double> _learningRate = new("--learning-rate")
    {
        Description = "the learning rate",
        HelpName = "X",
        DefaultValueFactory = _ => 1e-3,
    };
    private readonly Option<int> _seeds = CommonOptions.Count("--seeds", "tunings, with the seeds from 1 on", byDefault: 2);
    private readonly Option<string> _base = new Option<string>("--base")
    {
        Description = "the base's format while the chain is tuned",
        DefaultValueFactory = _ => AsTuned,
    }.AcceptOnlyFromAmong(AsTuned, "int8", "int4");
    private readonly Option<string[]> _formats = new("--formats")
    {
        Description = "which formats; several joined by commas are those of each chain, where float32 leaves a chain as it is, and " +
            "a plus sign at the end rounds for the rows tuned on [default: " +
            $"{string.Join(' ', Formats)}; behind a quantised base {string.Join(' ', FormatsBehindQuantised)}]",
        HelpName = "float32|bfloat16|int8|int4|int4+",
        AllowMultipleArgumentsPerToken = true,
    };

    public TunedFormatsCommand() : base(
        "tuned-formats", "A model tuned for a label in every weight format: size, accuracy and loss on other rows.") =>
        Offer(_model, _train, _judge, _rows, _epochs, _chains, _learningRate, _seeds, _base, _formats);

    protected override Report Measure(ParseResult result)
    {
        var judge = Read(result.GetRequiredValue(_judge));
        var all = Read(result.GetRequiredValue(_train));
        string[] judged = [.. judge.Select(row => Words(row.Text))];
        LabelledDocument[] apart = [.. all.Where(row => !judged.Any(Words(row.Text).Contains))];
        LabelledDocument[] train = [.. apart.Take(result.GetValue(_rows))];
        using var source = Base(result);
        int[] added = [.. result.GetValue(_chains)?.Heads ?? [source.Config.Layout.Heads[0]]];
        string[] names = result.GetValue(_formats) is { Length: > 0 } given ? [.. given.Distinct()]
            : result.GetRequiredValue(_base) == AsTuned ? Formats : FormatsBehindQuantised;

        var scores = names.ToDictionary(name => name, _ => new List<Judgement>());
        for (var seed = 1; seed <= result.GetValue(_seeds); seed++)
        {
            using var tuned = Tune(source, added, train, seed, result);
            foreach (var name in names)
            {
                using var model = WeightFormats.Apply(tuned.Model, name, train.Select(row => row.Text));
                scores[name].Add(Judge(model, judge));
            }
            Console.WriteLine($"Seed {seed}: {string.Join(", ", names.Select(name => $"{name} {scores[name][^1]}"))}");
        }

        var report = new Report($"A tuned model in every format, accuracy and loss on {judge.Length} rows", new Dictionary<string, object>
        {
            ["model"] = result.GetRequiredValue(_model).FullName,
            ["base"] = result.GetRequiredValue(_base),
            ["chains"] = string.Join(',', added),
            ["rows"] = train.Length,
            ["leftOut"] = all.Length - apart.Length,
            ["epochs"] = result.GetValue(_epochs),
            ["learningRate"] = result.GetValue(_learningRate),
            ["seeds"] = result.GetValue(_seeds),
        });
        foreach (var name in names)
        {
            var (own, first) = (scores[name], scores[names[0]]);
            Add("accuracy", score => score.Accuracy, "%");
            Add("loss", score => score.Loss, "");

            void Add(string what, Func<Judgement, double> of, string unit) => report.Add(
                $"{what}, {name}", new Samples(own.Select(of)), unit, new Samples(first.Select(of)), new Dictionary<string, double>
                {
                    ["MB"] = own[0].Megabytes,
                    ["Mean"] = own.Average(of),
                    [$"Other labels than {names[0]}"] = own.Zip(first, (score, other) => score.OtherLabels(other)).Average(),
                });
        }
        return report;
    }

    private CoLMModel Base(ParseResult result)
    {
        using var model = CoLMModel.Load(result.GetRequiredValue(_model).FullName, device: CPU, dtype: ScalarType.Float32);
        return WeightFormats.Apply(model, result.GetRequiredValue(_base));
    }

    private ElasticScoringTransformer Tune(CoLMModel source, int[] added, LabelledDocument[] rows, int seed, ParseResult result)
    {
        var mlContext = new MLContext(seed);
        var train = mlContext.Data.LoadFromEnumerable(rows);
        using var start = mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = source }).Fit(train);
        var (epochs, rate) = (result.GetValue(_epochs), result.GetValue(_learningRate));
        var isCopy = Array.TrueForAll(added, heads => heads == source.Config.Layout.Heads[0]);
        var options = new ChainTuningEstimator.Options
        {
            Transformer = start,
            FrozenChains = source.ChainCount,
            AddedChains = added,
            KvSharing = false,
            Initialization = isCopy ? ChainInitialization.CopyFirstChain : ChainInitialization.Normal,
            Pooling = FeaturePooling.Mean,
            LearningRate = rate,
            HeadLearningRate = HeadRate * rate,
            Decay = LearningRateDecay.Cosine,
            WeightDecay = WeightDecay,
            BatchSize = Batch,
            Epochs = epochs,
            SequenceLength = Math.Min(MostTokens, source.Config.ContextLength),
            Seed = seed,
        };
        options.WarmupSteps = Math.Min(options.WarmupSteps, (rows.Length + Batch - 1) / Batch * epochs / 10);
        return mlContext.Transforms.ChainTuning(options).Fit(train);
    }

    // By a folder, which keeps what the model was tuned for.
    private static Judgement Judge(CoLMModel model, LabelledDocument[] rows)
    {
        var folder = Directory.CreateTempSubdirectory("colm-tuned-");
        try
        {
            model.Save(folder.FullName);
            var mlContext = new MLContext(seed: 1);
            var data = mlContext.Data.LoadFromEnumerable(rows);
            using var transformer = mlContext.Transforms.ElasticScoring(folder.FullName).Fit(data);
            return new(model.SizeInBytes(model.ChainCount) / 1e6,
                [.. mlContext.Data.CreateEnumerable<Prediction>(transformer.Transform(data), reuseRowObject: false)]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static LabelledDocument[] Read(FileInfo file)
    {
        var table = TableFile.Read(file, int.MaxValue);
        var (text, label) = (Place("sentence"), Place("label"));
        return [.. table.Rows.Select(row => new LabelledDocument
        {
            Text = row.Fields[text],
            Label = row.Fields[label] switch
            {
                "0" => false,
                "1" => true,
                var found => throw new InvalidDataException($"{table.Path}, line {row.Line}: expected a label of 0 or 1, found '{found}'."),
            },
        })];

        int Place(string name) => Array.IndexOf(table.Names, name) is >= 0 and var place ? place
            : throw new InvalidDataException($"{table.Path} has no column '{name}', found {string.Join(", ", table.Names)}.");
    }

    // With a blank around each word, so that a text contains another where it has its words in a row.
    private static string Words(string text) =>
        $" {string.Join(' ', text.ToUpperInvariant().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))} ";

    private static Option<FileInfo> RowsOption(string name, string description) => new Option<FileInfo>(name)
    {
        Description = $"{description}; fields between tabs, with a header that names \"sentence\" and \"label\", 0 or 1",
        HelpName = "FILE",
        Required = true,
    }.AcceptExistingOnly();

    /// <summary>How a model does.</summary>
    /// <param name="Megabytes">Its size.</param>
    /// <param name="Rows">What it says of each row.</param>
    private sealed record Judgement(double Megabytes, Prediction[] Rows)
    {
        public double Accuracy => 100.0 * Rows.Count(row => row.PredictedLabel == row.Label) / Rows.Length;

        /// <summary>Cross-entropy, natural log.</summary>
        public double Loss => Rows.Average(row => Math.Log(1 + Math.Exp(row.Label ? -row.Score : row.Score)));

        public override string ToString() => FormattableString.Invariant($"{Accuracy:F2} % ({Loss:F4})");

        public int OtherLabels(Judgement other) => Rows.Zip(other.Rows).Count(pair => pair.First.PredictedLabel != pair.Second.PredictedLabel);
    }

    private sealed class Prediction
    {
        public bool Label { get; set; }

        public bool PredictedLabel { get; set; }

        public float Score { get; set; }
    }
}
