namespace Microsoft.ML.CoLM;

/// <summary>How a cascade's thresholds are found; see <see cref="CoLMOperations.CalibrateCascade"/>.</summary>
public sealed class CascadeCalibrationOptions
{
    /// <summary>
    /// The chain counts at which the cascade may stop, in increasing order; the last one stands for all chains, which the
    /// metric is compared with. Null uses 1, 2 and so on up to the model's. The search decides which of them pay off.
    /// Default: null.
    /// </summary>
    public IReadOnlyList<int>? ChainCounts { get; set; }

    /// <summary>The confidence of the guarantee, from 0.5, which leaves no margin, to less than 1. Default: 0.95.</summary>
    public double Confidence { get; set; } = 0.95;

    /// <summary>
    /// The metric to preserve: <see cref="SweepMetric.Loss"/> for language models; <see cref="SweepMetric.Accuracy"/>
    /// (<see cref="SweepMetric.MicroAccuracy"/> is the same) or <see cref="SweepMetric.LogLoss"/>, natural log, for
    /// classification. Null uses the loss or the accuracy, respectively. Default: null.
    /// </summary>
    public SweepMetric? Metric { get; set; }

    /// <summary>The label column for classification, of the type that the model was tuned for. Default: "Label".</summary>
    public string LabelColumnName { get; set; } = "Label";

    /// <summary>A copy that later changes to these options do not affect.</summary>
    internal CascadeCalibrationOptions Copy()
    {
        var copy = (CascadeCalibrationOptions)MemberwiseClone();
        copy.ChainCounts = ChainCounts is null ? null : [.. ChainCounts];
        return copy;
    }

    /// <summary>Rejects options that are invalid for every model.</summary>
    /// <exception cref="ArgumentException">The message names the option.</exception>
    internal void Check()
    {
        if (!(Confidence >= 0.5 && Confidence < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(Confidence), FormattableString.Invariant(
                $"{nameof(Confidence)} must be at least 0.5 and less than 1, found {Confidence}."));
        }
        ArgumentException.ThrowIfNullOrEmpty(LabelColumnName);
        if (Metric is { } metric && !Enum.IsDefined(metric))
            throw new ArgumentException($"{nameof(Metric)} must be a {nameof(SweepMetric)}, found {metric}.", nameof(Metric));
    }
}
