namespace Microsoft.ML.CoLM;

/// <summary>A cascade, and what it is expected to reach.</summary>
public sealed class CascadeCalibration
{
    internal CascadeCalibration()
    {
    }

    /// <summary>The cascade.</summary>
    public CascadeOptions Cascade { get; internal init; } = new();
}
