using System.Globalization;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>
/// The cheapest cascade found whose metric stays close to that of all chains, and its expected performance; see
/// <see cref="CoLMOperations.CalibrateCascade"/>.
/// </summary>
public sealed class CascadeCalibration
{
    internal CascadeCalibration()
    {
    }

    /// <summary>
    /// The cascade, for <see cref="CoLMCatalog.WithCascade"/>; a single chain count without thresholds if all rows are to be
    /// scored with it.
    /// </summary>
    public CascadeOptions Cascade { get; internal init; } = new();

    /// <summary>
    /// Whether a cascade meets the guarantee and costs less than all chains. If none does, <see cref="Cascade"/> scores every
    /// row with all chains.
    /// </summary>
    public bool IsFound { get; internal init; }

    /// <summary>Which metric <see cref="Metric"/> is.</summary>
    public SweepMetric Kind { get; internal init; }

    /// <summary>The cascade's metric on the calibration rows.</summary>
    public double Metric { get; internal init; }

    /// <summary>The metric of the same rows with all chains.</summary>
    public double AllChainsMetric { get; internal init; }

    /// <summary>
    /// An upper bound on how much worse than with all chains the metric is on equally many new rows of the same kind, at the
    /// requested <see cref="CascadeCalibrationOptions.Confidence"/>; infinite if there are too few rows to tell.
    /// </summary>
    public double DifferenceBound { get; internal init; }

    /// <summary>The mean chain count at which the rows stop.</summary>
    public double MeanChainsUsed { get; internal init; }

    /// <summary>
    /// Mean parameters in use per token, as a share of those of all chains: at most 1, and roughly the relative running time.
    /// </summary>
    public double RelativeCost { get; internal init; }

    /// <summary>The number of calibration rows.</summary>
    public int RowCount { get; internal init; }

    /// <summary>Returns the cascade and its cost as a sentence.</summary>
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
