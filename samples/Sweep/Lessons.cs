using System.Globalization;
using Microsoft.ML.CoLM;

namespace SweepSample;

/// <summary>What a search teaches of each setting: how candidates with a value did, each at its best chain count.</summary>
internal static class Lessons
{
    public static void Write(ChainSweepResult result)
    {
        // A data frame's columns between these two are the settings.
        var frame = result.ToDataFrame();
        var settings = frame.Columns.Skip(1).TakeWhile(column => column.Name != "ChainCount").ToArray();
        var candidates = Enumerable.Range(0, result.Trials.Count)
            .Where(row => result.Trials[row].Metric is not null)
            .GroupBy(row => string.Join('|', settings.Select(setting => setting[row])))
            .Select(rows => (Row: rows.First(), Metrics: rows.Select(row => result.Trials[row].Metric!.Value)))
            .Select(candidate => (candidate.Row, Metric: result.IsMaximized ? candidate.Metrics.Max() : candidate.Metrics.Min()))
            .ToArray();
        var count = candidates.Length;
        Console.WriteLine($"What {count} candidates teach ({result.Metric}, each at its best chain count):");
        Console.WriteLine($"{"setting",-16}{"value",-18}{"candidates",10}{"mean",10}{"worst",10}{"best",10}");
        foreach (var setting in settings)
        {
            foreach (var group in candidates.GroupBy(candidate => setting[candidate.Row]).OrderBy(group => group.Key))
            {
                double[] metrics = [.. group.Select(candidate => candidate.Metric).Order()];
                var (worst, best) = result.IsMaximized ? (metrics[0], metrics[^1]) : (metrics[^1], metrics[0]);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{setting.Name,-16}{group.Key,-18:G4}{metrics.Length,10}{metrics.Average(),10:F4}") +
                    string.Create(CultureInfo.InvariantCulture, $"{worst,10:F4}{best,10:F4}"));
            }
        }
    }
}
