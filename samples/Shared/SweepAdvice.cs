using System.Globalization;
using Microsoft.ML.CoLM;

namespace Samples;

/// <summary>Says what a sweep found in words.</summary>
internal static class SweepAdvice
{
    /// <summary>What to take for which latency, in a sentence.</summary>
    public static string Sentence(ChainSweepResult result)
    {
        var parts = result.Frontier.Select((trial, i) => string.Create(CultureInfo.InvariantCulture,
            $"{Chains(trial)} (trial {trial.Id}, {result.Metric} {trial.Metric:G4}) {(i == 0 ? "for a budget of" : "for")} ") +
            string.Create(CultureInfo.InvariantCulture, $"{trial.MedianLatency:G3} ms a row or more"));
        return $"Take {string.Join(", ", parts)}.";
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

    private static string Chains(ChainTrial trial) => trial.Cascade is { } cascade
        ? $"the cascade {string.Join(", ", cascade.ChainCounts)}"
        : trial.ChainCount == 1 ? "1 chain" : $"{trial.ChainCount} chains";
}
