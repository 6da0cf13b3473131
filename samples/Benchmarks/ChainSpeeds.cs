using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;

namespace Benchmarks;

/// <summary>Latency of a row, rows and tokens a second of a pipeline at several chain counts that take turns.</summary>
/// <param name="model">The pipeline, which stays the caller's.</param>
/// <param name="data">Its rows.</param>
/// <param name="batchSize">Rows that are scored together.</param>
internal sealed class ChainSpeeds(ITransformer model, IDataView data, int batchSize)
{
    // The first calls compile code, start threads and page weights in.
    private const double WarmUpMilliseconds = 1000;

    private readonly ElasticScoringTransformer _scorer = ElasticChain.Find(model);

    /// <summary>All counts; of features the one that the pipeline has, since what reads them knows no other.</summary>
    public int[] ChainCounts => _scorer.Settings.Scorer.Kind == TaskKind.Features
        ? [_scorer.ChainCount]
        : [.. Enumerable.Range(1, _scorer.Model.Config.ChainCount)];

    /// <summary>What a report says of the model.</summary>
    public Dictionary<string, object> Describe() => new()
    {
        ["task"] = $"{_scorer.Settings.Scorer.Kind}",
        ["layout"] = $"{_scorer.Model.Config.Layout}",
        ["kvSharing"] = _scorer.Model.Config.KvSharing,
        ["device"] = $"{_scorer.Model.Device}",
        ["dtype"] = $"{_scorer.Model.DataType}",
        ["batchSize"] = batchSize,
    };

    /// <summary>Measures chain counts, the last of which the others are compared with.</summary>
    public void Measure(Report report, int[] chainCounts, int rounds)
    {
        var pipelines = Array.ConvertAll(chainCounts, count => ElasticChain.Replace(model, scorer =>
            scorer.With(scorer.Settings with { Scorer = scorer.Settings.Scorer.WithDepth(new(count)), BatchSize = batchSize })));
        try
        {
            foreach (var pipeline in pipelines)
                ChainPass.Run(pipeline, data, batchSize, WarmUpMilliseconds);
            var passes = Array.ConvertAll(pipelines, _ => new List<ChainPass>());
            for (var round = 0; round < rounds; round++)
            {
                // Every other round goes backwards, as in a race.
                for (var i = 0; i < pipelines.Length; i++)
                {
                    var turn = round % 2 == 0 ? i : pipelines.Length - 1 - i;
                    passes[turn].Add(ChainPass.Run(pipelines[turn], data, batchSize));
                }
            }
            var tokens = CountTokens();
            var speeds = Array.ConvertAll(passes, runs => new Samples(
                runs.Select(pass => pass.Latencies.Count * 1000 / pass.Milliseconds)));
            for (var i = 0; i < chainCounts.Length; i++)
                report.Add(Name(chainCounts[i]), speeds[i], "rows/s", basis: speeds[^1], values: Values(passes[i], tokens));
        }
        finally
        {
            foreach (var pipeline in pipelines)
                (pipeline as IDisposable)?.Dispose();
        }
    }

    private static string Name(int chainCount) =>
        string.Create(CultureInfo.InvariantCulture, $"{chainCount} chain{(chainCount == 1 ? "" : "s")}");

    private static Dictionary<string, double> Values(List<ChainPass> passes, long? tokens)
    {
        double[] latencies = [.. passes.SelectMany(pass => pass.Latencies).Order()];
        var values = new Dictionary<string, double>
        {
            ["Median ms a row"] = Quantile(0.5),
            ["95% ms a row"] = Quantile(0.95),
        };
        if (tokens is { } count)
            values["Tokens a second"] = Math.Round(count * 1000.0 * passes.Count / passes.Sum(pass => pass.Milliseconds));
        return values;

        // The smallest of the values that a share of the rows are at most.
        double Quantile(double share) => latencies[Math.Max(0, (int)Math.Ceiling(share * latencies.Length) - 1)];
    }

    /// <summary>Tokens that the scorer reads of all rows; null where its columns are no plain texts.</summary>
    private long? CountTokens()
    {
        var settings = _scorer.Settings;
        if (settings.Scorer.Kind == TaskKind.MultipleChoice)
            return null;
        var longest = (settings.Scorer as PredictionRowScorer)?.MaxLength ?? int.MaxValue;
        var rows = ChainFront.Transform(model, _scorer, data);
        var columns = settings.Columns.In(rows.Schema);
        using var cursor = rows.GetRowCursor(columns);
        var reader = new RowTextReader(cursor, columns);
        var tokens = 0L;
        while (cursor.MoveNext())
        {
            var text = reader.Read();
            tokens += TaskText.Encode(_scorer.Tokenizer, _scorer.Model.Config, text.First, text.Second, longest,
                settings.Columns.Names, out _).Length;
        }
        return tokens;
    }
}
