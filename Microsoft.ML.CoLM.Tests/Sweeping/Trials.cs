using System.Globalization;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Trials that no sweep ran.</summary>
internal static class Trials
{
    /// <summary>A completed trial.</summary>
    public static ChainTrial Completed(
        int id, double? metric, double? latency, int chainCount = 1, SweepSettings? settings = null) => new()
        {
            Id = id,
            ChainCount = chainCount,
            Metric = metric,
            MedianLatency = latency,
            Percentile95Latency = 2 * latency,
            RowsPerSecond = 1000 / latency,
            Parameters = 1000 * chainCount,
            PeakMemory = 1 << 20,
            TrainingSeconds = 1.5,
            Settings = settings ?? new(),
        };

    /// <summary>A trial that threw.</summary>
    public static ChainTrial Failed(int id, string error, SweepSettings? settings = null) =>
        new() { Id = id, State = SweepTrialState.Failed, Error = error, Settings = settings ?? new() };

    /// <summary>A result as a sweep makes it.</summary>
    public static ChainSweepResult Result(bool isMaximized, params IReadOnlyList<ChainTrial> trials) =>
        new(trials, isMaximized ? "MicroAccuracy" : "Loss", isMaximized, 32);

    /// <summary>
    /// Trials with few different numbers, so that many are equal in some way; some did not complete, some have no number.
    /// </summary>
    public static ChainTrial[] Random(int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(1, random.Next(1, 25)).Select(id => new ChainTrial
        {
            Id = id,
            ChainCount = random.Next(1, 4),
            State = random.Next(6) == 0 ? SweepTrialState.Stopped : SweepTrialState.Completed,
            Metric = random.Next(12) switch { 0 => double.NaN, 1 => null, var number => number / 8.0 },
            MedianLatency = random.Next(12) switch { 0 => double.NaN, 1 => null, var number => number / 4.0 },
            PeakMemory = random.Next(5),
            Parameters = random.Next(5),
        })];
    }

    /// <summary>Does something where numbers are written as Germans and Arabs do it.</summary>
    public static T In<T>(string culture, Func<T> action)
    {
        var before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = CultureInfo.GetCultureInfo(culture);
        try
        {
            return action();
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }
}
