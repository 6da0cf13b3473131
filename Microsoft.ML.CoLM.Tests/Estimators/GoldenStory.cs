namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>A story's figures.</summary>
internal sealed record GoldenStory(int Row, int Tokens, double LogProbability);
