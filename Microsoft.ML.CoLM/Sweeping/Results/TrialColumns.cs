using System.Globalization;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Trials as columns of numbers and text: what goes into data frames and CSV.</summary>
internal static class TrialColumns
{
    private static readonly HashSet<Type> Numbers =
    [
        typeof(byte), typeof(sbyte), typeof(short), typeof(ushort), typeof(int), typeof(uint), typeof(long), typeof(ulong),
        typeof(float), typeof(double), typeof(decimal),
    ];

    /// <summary>The names of all settings, in the order in which trials first have them.</summary>
    public static string[] SettingNames(IReadOnlyList<ChainTrial> trials) =>
        [.. trials.SelectMany(trial => trial.Settings.Values).Select(value => value.Key).Distinct(StringComparer.Ordinal)];

    /// <summary>A setting's value in a trial; null where the trial has no such setting.</summary>
    public static object? Setting(ChainTrial trial, string name) =>
        trial.Settings.Values.FirstOrDefault(value => value.Key == name).Value;

    /// <summary>The chain count, and those before it in a cascade with what ends a row there.</summary>
    /// <param name="trial">The trial.</param>
    /// <param name="format">How to write thresholds; R is exact.</param>
    public static string Chains(ChainTrial trial, string format)
    {
        if (trial.Cascade is not { } cascade)
            return trial.ChainCount == 0 ? "" : SweepValue.TextOf(trial.ChainCount);
        var thresholds = cascade.Thresholds.Select(threshold => threshold.ToString(format, CultureInfo.InvariantCulture));
        return string.Join(' ', cascade.ChainCounts.Zip(thresholds.Append(null), (count, threshold) =>
            threshold is null ? SweepValue.TextOf(count) : $"{SweepValue.TextOf(count)} ({threshold})"));
    }

    public static TrialColumn[] Of(IReadOnlyList<ChainTrial> trials, IReadOnlyList<ChainTrial> frontier)
    {
        TrialColumn Column<T>(string name, Func<ChainTrial, T?> value) =>
            new(name, Nullable.GetUnderlyingType(typeof(T)) ?? typeof(T), [.. trials.Select(trial => (object?)value(trial))]);

        TrialColumn[] after =
        [
            Column("ChainCount", trial => trial.ChainCount),
            Column("Cascade", trial => trial.Cascade is null ? null : Chains(trial, "R")),
            Column("State", trial => trial.State.ToString()),
            Column("Error", trial => trial.Error),
            Column("Metric", trial => trial.Metric),
            Column("MetricDeviation", trial => trial.MetricDeviation),
            Column("MedianLatency", trial => trial.MedianLatency),
            Column("Percentile95Latency", trial => trial.Percentile95Latency),
            Column("RowsPerSecond", trial => trial.RowsPerSecond),
            Column("Parameters", trial => trial.Parameters),
            Column("PeakMemory", trial => trial.PeakMemory),
            Column("TrainingSeconds", trial => trial.TrainingSeconds),
            Column("Frontier", trial => frontier.Contains(trial) ? 1 : 0),
            Column("Code", trial => trial.ToString()),
        ];
        var id = Column("Id", trial => trial.Id);
        HashSet<string> taken = [id.Name, .. after.Select(column => column.Name)];
        var settings = SettingNames(trials).Select(name =>
        {
            object?[] values = [.. trials.Select(trial => Setting(trial, name))];
            return OfSetting(Free(name, taken), values);
        });
        return [id, .. settings, .. after];
    }

    private static string Free(string name, HashSet<string> taken)
    {
        while (!taken.Add(name))
            name = "Settings." + name;
        return name;
    }

    // Numbers of one type stay numbers; all else, and what is of several types, is text.
    private static TrialColumn OfSetting(string name, object?[] values)
    {
        Type[] types = [.. values.OfType<object>().Select(value => value.GetType()).Distinct()];
        return types is [var type] && Numbers.Contains(type)
            ? new(name, type, values)
            : new(name, typeof(string), Array.ConvertAll<object?, object?>(
                values, value => value is null ? null : SweepValue.TextOf(value)));
    }
}
