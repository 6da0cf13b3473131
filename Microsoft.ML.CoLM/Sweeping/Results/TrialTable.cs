using System.Globalization;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Trials as a table to read.</summary>
internal static class TrialTable
{
    private const int LongestReason = 60;

    // Digits of the smallest number in a column of times, and of metrics.
    private const int Digits = 3;
    private const int MetricDigits = 4;

    // Beyond it, digits say nothing.
    private const double Large = 1e7;

    private const double Mebibyte = 1 << 20;

    public static string Of(ChainSweepResult result)
    {
        var trials = result.Trials;
        var table = new TextTable();
        void Numbers(string header, Func<ChainTrial, double?> value)
        {
            var decimals = Decimals(trials.Select(value), Digits, fewest: 0);
            table.Add(header, trials.Select(trial => Number(value(trial), decimals)), isRight: true);
        }

        table.Add("", trials.Select(trial => result.Frontier.Contains(trial) ? "*" : ""));
        table.Add("Id", trials.Select(trial => trial.Id.ToString(CultureInfo.InvariantCulture)), isRight: true);
        foreach (var name in TrialColumns.SettingNames(trials))
        {
            object?[] values = [.. trials.Select(trial => TrialColumns.Setting(trial, name))];
            table.Add(name, values.Select(value => value is null ? "" : SweepValue.TextOf(value)),
                isRight: values.All(value => value is ValueType and not (bool or Enum)));
        }
        table.Add("Chains", trials.Select(trial => TrialColumns.Chains(trial, "G4")), widest: 40);
        var metricDecimals = Decimals(trials.Select(trial => trial.Metric), MetricDigits, fewest: MetricDigits);
        table.Add(result.Metric, trials.Select(trial => Metric(trial, metricDecimals)), isRight: true, widest: 40);
        if (HasLatency(result))
        {
            Numbers("Median ms", trial => trial.MedianLatency);
            Numbers("p95 ms", trial => trial.Percentile95Latency);
            Numbers("Rows/s", trial => trial.RowsPerSecond);
        }
        table.Add("Parameters", trials.Select(trial => trial.ChainCount == 0
            ? "" : trial.Parameters.ToString("N0", CultureInfo.InvariantCulture)), isRight: true);
        Numbers("MiB", trial => trial.PeakMemory / Mebibyte);
        Numbers("Training s", trial => trial.TrainingSeconds);
        table.Add("State", trials.Select(State), widest: LongestReason);
        return Header(result) + "\n" + table;
    }

    private static string Header(ChainSweepResult result) => string.Create(CultureInfo.InvariantCulture,
        $"{TextTable.Shortened(result.Metric, 40)}, {(result.IsMaximized ? "higher" : "lower")} is better; ") + (HasLatency(result)
            ? string.Create(CultureInfo.InvariantCulture, $"ms a row, scored {result.LatencyBatchSize} at a time; * no trial is both better and as fast")
            : "* no trial is both better and as small in parameters");

    private static bool HasLatency(ChainSweepResult result) => result.Trials.Any(trial => trial.MedianLatency is not null);

    private static string State(ChainTrial trial) =>
        trial.Error is null ? trial.State.ToString() : $"{trial.State}: {trial.Error}";

    private static string Metric(ChainTrial trial, int decimals)
    {
        var mean = Number(trial.Metric, decimals);
        return trial.MetricDeviation is { } deviation ? $"{mean} ± {Number(deviation, decimals)}" : mean;
    }

    private static string Number(double? value, int decimals) => value switch
    {
        null => "",
        { } number when Math.Abs(number) >= Large => number.ToString("G5", CultureInfo.InvariantCulture),
        { } number => number.ToString(
            "F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture),
    };

    /// <summary>Decimals that give the smallest number so many digits, within bounds.</summary>
    private static int Decimals(IEnumerable<double?> values, int digits, int fewest)
    {
        var smallest = values.Select(value => Math.Abs(value ?? 0)).Where(value => value > 0 && double.IsFinite(value))
            .DefaultIfEmpty(1).Min();
        return Math.Clamp(digits - 1 - (int)Math.Floor(Math.Log10(smallest)), fewest, 6);
    }
}
