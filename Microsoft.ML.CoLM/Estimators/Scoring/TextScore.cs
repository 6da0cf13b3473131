namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What a row's text scored.</summary>
/// <param name="LogProbability">Natural log, summed over the scored tokens.</param>
/// <param name="TokenCount">Tokens scored.</param>
/// <param name="ChainsUsed">The chain count it was scored at.</param>
internal readonly record struct TextScore(double LogProbability, int TokenCount, int ChainsUsed)
{
    /// <summary>Whether it is a number.</summary>
    public static bool IsFinite(TextScore score) => double.IsFinite(score.LogProbability);

    /// <summary>exp of the mean loss of a token; NaN where no token was scored.</summary>
    public float Perplexity => (float)Math.Exp(-LogProbability / TokenCount);
}
