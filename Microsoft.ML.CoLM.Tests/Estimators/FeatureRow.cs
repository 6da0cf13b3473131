namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>A text with its features.</summary>
internal sealed class FeatureRow
{
    public string? Text { get; set; }

    public float[] Features { get; set; } = [];
}
