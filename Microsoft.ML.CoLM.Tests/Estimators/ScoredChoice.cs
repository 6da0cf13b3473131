namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>What choices scored.</summary>
internal sealed class ScoredChoice
{
    public float[] Score { get; set; } = [];

    public float[] NormalizedScore { get; set; } = [];

    public int PredictedLabel { get; set; }

    public int NormalizedPredictedLabel { get; set; }
}
