namespace Microsoft.ML.CoLM.Tests.Generation;

/// <summary>Pearson's test of whether counts follow a distribution.</summary>
internal static class ChiSquare
{
    // One in 100,000 samples of the distribution is further away; the samples here are seeded, so a test that passes
    // keeps passing.
    private const double Deviations = 4.26;

    // Fewer expected than this are counted together.
    private const double LeastExpected = 5;

    public static void Check(IReadOnlyList<double> probabilities, IReadOnlyList<int> counts)
    {
        var (statistic, degrees) = Statistic(probabilities, counts);
        Assert.IsLessThan(Limit(degrees), statistic, $"chi-square with {degrees} degrees of freedom");
    }

    /// <summary>So that one sees that the samples would show a difference: these counts do not follow it.</summary>
    public static void CheckDiffers(IReadOnlyList<double> probabilities, IReadOnlyList<int> counts)
    {
        var (statistic, degrees) = Statistic(probabilities, counts);
        Assert.IsGreaterThan(Limit(degrees), statistic, $"chi-square with {degrees} degrees of freedom");
    }

    private static (double Statistic, int Degrees) Statistic(
        IReadOnlyList<double> probabilities, IReadOnlyList<int> counts)
    {
        double total = counts.Sum();
        double statistic = 0, rareExpected = 0, rareCount = 0;
        var cells = 0;
        for (var i = 0; i < counts.Count; i++)
        {
            var expected = probabilities[i] * total;
            if (expected < LeastExpected)
            {
                (rareExpected, rareCount) = (rareExpected + expected, rareCount + counts[i]);
                continue;
            }
            statistic += Math.Pow(counts[i] - expected, 2) / expected;
            cells++;
        }
        if (rareExpected > 0 || rareCount > 0)
        {
            // Where what is impossible happened, this is infinite.
            statistic += Math.Pow(rareCount - rareExpected, 2) / rareExpected;
            cells++;
        }
        return (statistic, cells - 1);
    }

    // Wilson and Hilferty's approximation of the distribution's quantile.
    private static double Limit(int degrees) =>
        degrees * Math.Pow(1 - 2.0 / (9 * degrees) + Deviations * Math.Sqrt(2.0 / (9 * degrees)), 3);
}
