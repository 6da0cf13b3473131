using System.CommandLine;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>Loss and speed of cascades from one chain to all, against as many rows that are sent on at random.</summary>
internal sealed class CascadeCommand : Benchmark
{
    private const int RandomDraws = 200;

    private static readonly double[] DefaultQuantiles = [0.1, 0.3, 0.5, 0.7, 0.9];

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly Option<DirectoryInfo> _model = new Option<DirectoryInfo>("--model")
    {
        Description = "CoLM folder of several chains",
        HelpName = "FOLDER",
        Required = true,
    }.AcceptExistingOnly();
    private readonly Option<FileInfo> _validation = new Option<FileInfo>("--validation")
    {
        Description = "texts: JSON lines with \"text\"",
        HelpName = "FILE",
        Required = true,
    }.AcceptExistingOnly();
    private readonly Option<int> _maxTokens =
        CommonOptions.Count("--max-tokens", "leaves out texts of more tokens", byDefault: int.MaxValue);
    private readonly Option<double[]> _thresholds = new("--thresholds")
    {
        Description = "mean losses up to which a row stops at one chain, such as 1.2,1.4 [default: quantiles of the rows' " +
            "losses at one chain]",
        HelpName = "A,B,...",
        CustomParser = result =>
        {
            var parts = result.Tokens[0].Value.Split(',');
            var values = new double[parts.Length];
            for (var i = 0; i < parts.Length; i++)
            {
                if (!double.TryParse(parts[i], CultureInfo.InvariantCulture, out values[i]))
                    result.AddError($"--thresholds must be numbers such as 1.2,1.4, found '{parts[i]}'.");
            }
            return values;
        },
    };
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 5);

    public CascadeCommand() : base(
        "cascade", "Loss and rows a second of cascades, against as many rows that are sent on at random.") =>
        Offer(_model, _validation, _maxTokens, _thresholds, _device, _rounds);

    protected override Report Measure(ParseResult result)
    {
        var device = CommonOptions.ToDevice(result.GetRequiredValue(_device));
        using var model = CoLMModel.Load(result.GetRequiredValue(_model).FullName, device: device);
        var chains = model.Config.Layout.ChainCount;
        var texts = Document.Read(result.GetRequiredValue(_validation));
        var counts = Score(model, texts, new() { ChainCount = 1 });
        texts = [.. texts.Where((_, row) =>
            counts[row].TokenCount > 0 && counts[row].TokenCount < result.GetValue(_maxTokens))];
        var few = Score(model, texts, new() { ChainCount = 1 });
        var all = Score(model, texts, new() { ChainCount = chains });
        var losses = few.Select(row => -row.LogProbability / (double)row.TokenCount).Order().ToArray();
        double[] thresholds = result.GetValue(_thresholds) is { Length: > 0 } given ? given :
            [.. DefaultQuantiles.Select(share => losses[(int)(share * losses.Length)])];

        (string Name, ElasticScoringEstimator.Options Options)[] ways =
        [
            ("1 chain", new() { ChainCount = 1 }),
            .. thresholds.OrderDescending().Select(threshold => (string.Create(CultureInfo.InvariantCulture, $"{threshold:F4}"),
                new ElasticScoringEstimator.Options
                {
                    Cascade = new() { ChainCounts = [1, chains], MaximumLosses = [threshold] },
                })),
            ($"{chains} chains", new() { ChainCount = chains }),
        ];
        var rows = new CascadeRow[ways.Length][];
        var race = new Race(device);
        for (var i = 0; i < ways.Length; i++)
        {
            var way = i;
            race.Enter(ways[way].Name, () => rows[way] = Score(model, texts, ways[way].Options));
        }
        var times = race.Run(result.GetValue(_rounds));

        var report = new Report($"{texts.Length} texts, {{{model.Config.Layout}}}", new Dictionary<string, object>
        {
            ["model"] = result.GetRequiredValue(_model).FullName,
            ["device"] = $"{device}",
            ["tokens"] = few.Sum(row => (long)row.TokenCount),
            ["rounds"] = result.GetValue(_rounds),
        });
        var slowest = Speed(ways[^1].Name);
        for (var way = 0; way < ways.Length; way++)
        {
            int[] used = [.. rows[way].Select(row => ways[way].Options.ChainCount ?? row.ChainsUsed)];
            var sent = used.Count(count => count > 1);
            report.Add(ways[way].Name, Speed(ways[way].Name), "rows/s", basis: slowest, values: new Dictionary<string, double>
            {
                ["Sent on"] = sent,
                ["Mean chains"] = used.Average(),
                ["Loss"] = Loss(rows[way]),
                ["Loss at random"] = LossAtRandom(few, all, sent),
            });
        }
        return report;

        Samples Speed(string name) => times[name].Select(time => texts.Length * 1000 / time);
    }

    private CascadeRow[] Score(CoLMModel model, Document[] texts, ElasticScoringEstimator.Options options)
    {
        options.Model = model;
        var data = _mlContext.Data.LoadFromEnumerable(texts);
        using var transformer = _mlContext.Transforms.ElasticScoring(options).Fit(data);
        return [.. _mlContext.Data.CreateEnumerable<CascadeRow>(
            transformer.Transform(data), reuseRowObject: false, ignoreMissingColumns: true)];
    }

    // The mean over draws of the loss when so many rows, any, get the scores of all chains.
    private static double LossAtRandom(CascadeRow[] few, CascadeRow[] all, int sent)
    {
        var random = new Random(1);
        var order = Enumerable.Range(0, few.Length).ToArray();
        return Enumerable.Range(0, RandomDraws).Average(_ =>
        {
            random.Shuffle(order);
            return Loss([.. order.Select((row, i) => i < sent ? all[row] : few[row])]);
        });
    }

    private static double Loss(CascadeRow[] rows) =>
        -rows.Sum(row => (double)row.LogProbability) / rows.Sum(row => (long)row.TokenCount);
}
