namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Quantiles of the standard normal distribution.</summary>
internal static class NormalQuantile
{
    /// <summary>What a standard normal number is below with a probability, within 0.0005.</summary>
    /// <remarks>Abramowitz and Stegun, 26.2.23.</remarks>
    /// <param name="probability">From 0.5 to less than 1.</param>
    public static double Of(double probability)
    {
        var t = Math.Sqrt(-2 * Math.Log(1 - probability));
        return Math.Max(0, t - (2.515517 + t * (0.802853 + t * 0.010328)) /
            (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))));
    }
}
