namespace Microsoft.ML.CoLM;

/// <summary>How thresholds of a cascade are found.</summary>
public sealed class CascadeCalibrationOptions
{
}
