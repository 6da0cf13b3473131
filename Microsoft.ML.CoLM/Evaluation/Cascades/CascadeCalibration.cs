using System.Globalization;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>
/// The cheapest cascade found whose metric stays near that of all chains, and what it is to be expected of it; see
/// <see cref="CoLMOperations.CalibrateCascade"/>.
/// </summary>
public sealed class CascadeCalibration
{
    internal CascadeCalibration()
    {
    }

    /// <summary>
    /// The cascade, for <see cref="CoLMCatalog.WithCascade"/>; a single chain count without thresholds where all rows are to be
    /// scored with it.
    /// </summary>
    public CascadeOptions Cascade { get; internal init; } = new();

    /// <summary>
    /// Whether a cascade keeps the promise and costs less than all chains. Where none does, <see cref="Cascade"/> scores every
    /// row with all chains.
    /// </summary>
    public bool IsFound { get; internal init; }

    /// <summary>What <see cref="Metric"/> is.</summary>
    public SweepMetric Kind { get; internal init; }

    /// <summary>The cascade's metric on the rows that it was calibrated on.</summary>
    public double Metric { get; internal init; }

    /// <summary>The same rows' metric with all chains.</summary>
    public double AllChainsMetric { get; internal init; }

    /// <summary>
    /// How much worse than with all chains the metric may be on as many further rows of the same kind, at most, with the
    /// <see cref="CascadeCalibrationOptions.Confidence"/> that was asked for; infinite where rows are too few to say.
    /// </summary>
    public double DifferenceBound { get; internal init; }

    /// <summary>Chain counts that the rows stop at, on average.</summary>
    public double MeanChainsUsed { get; internal init; }

    /// <summary>
    /// Parameters in use at a token, on average, as a share of those of all chains: at most 1, about what time it takes.
    /// </summary>
    public double RelativeCost { get; internal init; }

    /// <summary>Rows that it was calibrated on.</summary>
    public int RowCount { get; internal init; }

    /// <summary>The cascade and what it costs, as a sentence.</summary>
    public override string ToString()
    {
        var figures = string.Create(CultureInfo.InvariantCulture,
            $"{Kind} {Metric:F4}, {AllChainsMetric:F4} with all chains, on {RowCount} rows");
        if (!IsFound)
            return $"All rows with all chains: no cascade keeps the promise for less. {figures}.";
        var thresholds = ListText.Of(Cascade.Thresholds, "F4");
        var kind = Cascade.MaximumLosses.Count > 0 ? ", maximum losses " : ", minimum margins ";
        return $"Chains {string.Join(", ", Cascade.ChainCounts)}" + (thresholds.Length > 0 ? kind + thresholds + ": " : ": ") +
            string.Create(CultureInfo.InvariantCulture, $"{figures}, at most {DifferenceBound:F4} worse on others; ") +
            string.Create(CultureInfo.InvariantCulture, $"{MeanChainsUsed:F2} chains and {RelativeCost:P0} of the cost.");
    }
}
