using System.CommandLine;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Spectre.Console;

namespace Benchmarks;

/// <summary>Loss and speed of cascades from one chain to all, against as many rows that are sent on at random.</summary>
internal sealed class Cascades
{
    private const int RandomDraws = 200;

    private static readonly double[] DefaultQuantiles = [0.1, 0.3, 0.5, 0.7, 0.9];

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model;
    private readonly Document[] _texts;
    private readonly CascadeRow[] _few;
    private readonly CascadeRow[] _all;
    private readonly int _chainCount;

    private Cascades(CoLMModel model, Document[] texts, int maxTokens)
    {
        (_model, _texts, _chainCount) = (model, texts, model.Config.Layout.ChainCount);
        var counts = Score(new() { ChainCount = 1 });
        _texts = [.. texts.Where((_, row) => counts[row].TokenCount > 0 && counts[row].TokenCount < maxTokens)];
        (_few, _all) = (Score(new() { ChainCount = 1 }), Score(new() { ChainCount = _chainCount }));
    }

    /// <summary>The command, with options of its own beside the model and the rounds.</summary>
    public static Command Command(Option<DirectoryInfo> model, Option<int> rounds)
    {
        var validation = new Option<FileInfo>("--validation")
        {
            Description = "texts: JSON lines with \"text\"",
            Required = true,
        }.AcceptExistingOnly();
        var maxTokens = new Option<int>("--max-tokens")
        {
            Description = "leaves out texts of more tokens",
            DefaultValueFactory = _ => int.MaxValue,
        };
        var thresholds = new Option<string?>("--thresholds")
        {
            Description = "mean losses up to which a row stops at one chain, such as 1.2,1.4; without it, quantiles of " +
                "the rows' losses at one chain",
        };
        var command = new Command("cascade", "loss and rows a second of cascades, against rows sent on at random")
        {
            model, validation, maxTokens, thresholds, rounds,
        };
        command.SetAction(result =>
        {
            using var loaded = CoLMModel.Load(result.GetRequiredValue(model).FullName);
            var texts = JsonLines.Read(result.GetRequiredValue(validation));
            new Cascades(loaded, texts, result.GetValue(maxTokens)).Compare(
                result.GetValue(thresholds)?.Split(',').Select(text => double.Parse(text, CultureInfo.InvariantCulture)),
                result.GetValue(rounds));
        });
        return command;
    }

    private void Compare(IEnumerable<double>? given, int rounds)
    {
        var losses = _few.Select(row => -row.LogProbability / (double)row.TokenCount).Order().ToArray();
        double[] thresholds = [.. given ?? DefaultQuantiles.Select(share => losses[(int)(share * losses.Length)])];
        (string Name, ElasticScoringEstimator.Options Options)[] ways =
        [
            ("1 chain", new() { ChainCount = 1 }),
            .. thresholds.Select(threshold => (threshold.ToString("F4", CultureInfo.InvariantCulture),
                new ElasticScoringEstimator.Options
                {
                    Cascade = new() { ChainCounts = [1, _chainCount], Thresholds = [threshold] },
                })),
            ($"{_chainCount} chains", new() { ChainCount = _chainCount }),
        ];
        var rates = Array.ConvertAll(ways, _ => new Samples());
        var rows = new CascadeRow[ways.Length][];
        for (var round = 0; round <= rounds; round++)
        {
            for (var way = 0; way < ways.Length; way++)
            {
                var rate = Scoring.RowsPerSecond(_texts.Length, () => (rows[way] = Score(ways[way].Options)).Length);
                if (round > 0) // the first warms up
                    rates[way].Add(rate);
            }
        }
        var tokens = _few.Sum(row => (long)row.TokenCount);
        var table = new Table()
            .Title($"{_texts.Length} texts, {tokens} tokens, layout {{{_model.Config.Layout}}}")
            .AddColumns("Threshold", "Sent on", "Mean chains", "Loss", "At random", "Rows/s");
        for (var way = 0; way < ways.Length; way++)
        {
            int[] chains = [.. rows[way].Select(row => ways[way].Options.ChainCount ?? row.ChainsUsed)];
            var sent = chains.Count(used => used > 1);
            table.AddRow(ways[way].Name, $"{sent}", $"{chains.Average():F3}", $"{Loss(rows[way]):F4}",
                $"{LossAtRandom(sent):F4}", rates[way].Text("F1"));
        }
        AnsiConsole.Write(table);
    }

    private CascadeRow[] Score(ElasticScoringEstimator.Options options)
    {
        options.Model = _model;
        var data = _mlContext.Data.LoadFromEnumerable(_texts);
        using var transformer = _mlContext.Transforms.ElasticScoring(options).Fit(data);
        return [.. _mlContext.Data.CreateEnumerable<CascadeRow>(
            transformer.Transform(data), reuseRowObject: false, ignoreMissingColumns: true)];
    }

    // The mean over draws of the loss when so many rows, any, get the scores of all chains.
    private double LossAtRandom(int sent)
    {
        var random = new Random(1);
        var order = Enumerable.Range(0, _few.Length).ToArray();
        return Enumerable.Range(0, RandomDraws).Average(_ =>
        {
            random.Shuffle(order);
            return Loss([.. order.Select((row, i) => i < sent ? _all[row] : _few[row])]);
        });
    }

    private static double Loss(CascadeRow[] rows) =>
        -rows.Sum(row => (double)row.LogProbability) / rows.Sum(row => (long)row.TokenCount);
}
