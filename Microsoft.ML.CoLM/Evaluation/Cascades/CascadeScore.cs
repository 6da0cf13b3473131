namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>What a sequence scored, and where it stopped.</summary>
/// <param name="LogProbability">Natural log, summed over every token after the first.</param>
/// <param name="ChainsUsed">The chain count it was scored at.</param>
internal readonly record struct CascadeScore(double LogProbability, int ChainsUsed);
