namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>What a classifier says of a row.</summary>
internal sealed class Prediction
{
    public uint PredictedLabel { get; set; }

    public float[] Score { get; set; } = [];
}
