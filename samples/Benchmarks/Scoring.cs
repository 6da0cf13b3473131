using System.Diagnostics;
using Microsoft.ML;
using Spectre.Console;

namespace Benchmarks;

/// <summary>Rows a second of Transform, against a PredictionEngine row by row.</summary>
internal static class Scoring
{
    public static void Run(DirectoryInfo modelFolder, int rowCount, int wordsEach, int rounds)
    {
        var mlContext = new MLContext(seed: 1);
        var rows = Texts.Rows(rowCount, wordsEach);
        var data = mlContext.Data.LoadFromEnumerable(rows);
        using var transformer = mlContext.Transforms.ElasticScoring(modelFolder.FullName).Fit(data);
        using var engine = mlContext.Model.CreatePredictionEngine<Document, Score>(
            transformer, new PredictionEngineOptions { OwnsTransformer = false });

        var (transform, predict, ratios) = (new Samples(), new Samples(), new Samples());
        for (var round = 0; round <= rounds; round++)
        {
            var one = RowsPerSecond(rowCount, () => mlContext.Data
                .CreateEnumerable<Score>(transformer.Transform(data), reuseRowObject: false)
                .Sum(score => score.LogProbability));
            var other = RowsPerSecond(rowCount, () => rows.Sum(row => engine.Predict(row).LogProbability));
            if (round == 0)
                continue; // warm-up
            transform.Add(one);
            predict.Add(other);
            ratios.Add(one / other);
        }
        AnsiConsole.Write(new Table()
            .Title($"{rowCount} rows of {wordsEach} words, {transformer.ChainCount} chains")
            .AddColumns("Way", "Rows/s")
            .AddRow("Transform", transform.Text("F0"))
            .AddRow("PredictionEngine", predict.Text("F0"))
            .AddRow("ratio", ratios.Text("F2")));
    }

    /// <summary>How many rows a second an action scores.</summary>
    public static double RowsPerSecond(int count, Func<float> score)
    {
        var clock = Stopwatch.StartNew();
        score();
        return count / clock.Elapsed.TotalSeconds;
    }
}
