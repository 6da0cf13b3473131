using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Samples;
using Spectre.Console;

namespace Evaluate;

/// <summary>How good a model is at each chain count.</summary>
internal sealed class Report(MLContext mlContext, CoLMModel model, int rows, CancellationToken cancellation)
{
    private int ChainCount => model.Config.Layout.ChainCount;

    /// <summary>Accuracies in percent, a row for each chain count, and their mean over the tasks.</summary>
    public void WriteAccuracies(IReadOnlyList<ChoiceTask> tasks)
    {
        IDataView[] items = [.. tasks.Select(task => mlContext.Data.TakeRows(task.Rows, rows))];
        var scores = new (double Accuracy, double Error)[ChainCount, tasks.Count];
        AnsiConsole.Progress().Start(display =>
        {
            var bar = display.AddTask("Scoring choices", maxValue: scores.Length);
            for (var task = 0; task < tasks.Count; task++)
            {
                using var scorer = mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
                {
                    Model = model,
                    Task = ScoringTask.MultipleChoice,
                }).Fit(items[task]);
                for (var chainCount = 1; chainCount <= ChainCount; chainCount++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    using var elastic = scorer.WithChainCount(chainCount);
                    var metrics = mlContext.CoLM().EvaluateMultipleChoice(elastic.Transform(items[task]));
                    scores[chainCount - 1, task] = tasks[task].IsNormalized
                        ? (metrics.NormalizedAccuracy, metrics.NormalizedStandardError)
                        : (metrics.Accuracy, metrics.StandardError);
                    bar.Increment(1);
                }
            }
        });
        var table = new Table();
        string[] headings = ["Chains", .. tasks.Select(task => $"{task.Name}{(task.IsNormalized ? "" : "*")}"), "Mean"];
        foreach (var heading in headings)
            table.AddColumn(heading, column => column.Padding(0, 0, 1, 0)); // eight tasks in 80 characters
        var guesses = Array.ConvertAll(items, Guessing);
        table.AddRow(["guess", .. guesses.Select(Percent), Percent(guesses.Average())]);
        for (var chainCount = 1; chainCount <= ChainCount; chainCount++)
        {
            var row = Enumerable.Range(0, tasks.Count).Select(task => scores[chainCount - 1, task]).ToArray();
            var error = Math.Sqrt(row.Sum(score => score.Error * score.Error)) / row.Length;
            table.AddRow([$"{chainCount}", .. row.Select(score => Percent(score.Accuracy)),
                $"{Percent(row.Average(score => score.Accuracy))} ± {Percent(error)}"]);
        }
        AnsiConsole.Write(table);
        Console.WriteLine("Accuracy in percent by log-probability for each character (acc_norm), * by log-probability (acc); " +
            "the mean with its standard error.");
    }

    /// <summary>How well texts are predicted, a row for each chain count.</summary>
    public void WriteLanguageMetrics(IEnumerable<string> texts)
    {
        var data = mlContext.Data.LoadFromEnumerable(texts.Take(rows).Select(text => new Document { Text = text }).ToArray());
        using var scorer = mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = model }).Fit(data);
        var table = new Table().AddColumns("Chains", "Loss", "Perplexity", "Bits/byte", "Word perplexity", "Tokens");
        foreach (var metrics in mlContext.CoLM().EvaluateChainCounts(scorer, data))
        {
            table.AddRow([$"{metrics.ChainCount}", .. new[] { metrics.Loss, metrics.Perplexity, metrics.BitsPerByte,
                metrics.WordPerplexity }.Select(value => value.ToString("G5", CultureInfo.InvariantCulture)),
                $"{metrics.TokenCount}"]);
        }
        AnsiConsole.Write(table);
    }

    // The accuracy of who guesses.
    private double Guessing(IDataView items) => mlContext.Data
        .CreateEnumerable<ChoiceItem>(mlContext.Transforms.SelectColumns("Choices").Fit(items).Transform(items),
            reuseRowObject: true, ignoreMissingColumns: true)
        .Average(item => 1.0 / item.Choices.Length);

    private static string Percent(double share) => (100 * share).ToString("F1", CultureInfo.InvariantCulture);
}
