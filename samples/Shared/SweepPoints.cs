using System.Globalization;
using Microsoft.Data.Analysis;
using Microsoft.ML.CoLM;

namespace Samples;

/// <summary>The trials of a sweep that a chart can show.</summary>
internal static class SweepPoints
{
    public static SweepPoint[] Of(ChainSweepResult result)
    {
        // Settings are the columns between these two.
        var columns = result.ToDataFrame().Columns;
        var settings = columns.Skip(columns.IndexOf("Id") + 1).Take(columns.IndexOf("ChainCount") - 1).ToArray();
        DataFrameColumn[] different = [.. settings.Where(column => column.Cast<object?>().Distinct().Count() > 1)];
        return [.. result.Trials
            .Select((trial, row) => new SweepPoint(trial, Describe(different, row), result.Frontier.Contains(trial)))
            .Where(point => point.Trial.State == SweepTrialState.Completed &&
                point.Trial is { Metric: { } metric, MedianLatency: { } latency } &&
                double.IsFinite(metric) && double.IsFinite(latency))];
    }

    private static string Describe(DataFrameColumn[] settings, int row) => string.Join(", ", settings
        .Where(column => column[row] is not null)
        .Select(column => $"{column.Name} {Convert.ToString(column[row], CultureInfo.InvariantCulture)}"));
}
