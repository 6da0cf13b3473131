using Microsoft.ML.CoLM;
using Samples;

namespace SweepSample;

/// <summary>Says and draws what a sweep found.</summary>
internal static class Report
{
    public static void Write(ChainSweepResult result, Settings settings)
    {
        Console.WriteLine();
        Console.WriteLine(result);
        Console.WriteLine(SweepAdvice.Sentence(result));
        foreach (var budget in settings.Budgets)
            Console.WriteLine(SweepAdvice.Under(result, budget));
        Console.WriteLine($"Drawn in {string.Join(" and ", SweepChart.Save(result, settings.Chart, settings.Budgets))}.");
    }
}
