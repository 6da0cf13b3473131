using System.Globalization;
using Microsoft.ML.CoLM;

namespace Samples;

/// <summary>Says what a sweep found in words.</summary>
internal static class SweepAdvice
{
    /// <summary>What to take for which latency, in a sentence.</summary>
    public static string Sentence(ChainSweepResult result)
    {
        var parts = result.Frontier.Select(trial => string.Create(CultureInfo.InvariantCulture,
            $"from {trial.MedianLatency:G3} ms a row on take {Name(trial)} ({result.Metric} {trial.Metric:G4})"));
        return $"For a budget {string.Join(", ", parts)}.";
    }

    /// <summary>The best within a budget of milliseconds a row, or how far the nearest is from it.</summary>
    public static string Under(ChainSweepResult result, double budget)
    {
        try
        {
            var trial = result.BestUnder(latency: budget);
            return string.Create(CultureInfo.InvariantCulture,
                $"BestUnder({budget}): {result.Metric} {trial.Metric:G4} in {trial.MedianLatency:G3} ms a row by {trial}");
        }
        catch (InvalidOperationException e)
        {
            return string.Create(CultureInfo.InvariantCulture, $"BestUnder({budget}): {e.Message}");
        }
    }

    private static string Name(ChainTrial trial)
    {
        var chains = trial.Cascade is { } cascade ? $"the cascade {string.Join(", ", cascade.ChainCounts)}"
            : trial.ChainCount == 1 ? "1 chain" : $"{trial.ChainCount} chains";
        return $"{chains} of trial {trial.Id}";
    }
}
