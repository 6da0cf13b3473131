namespace Microsoft.ML.CoLM;

/// <summary>How thresholds of a cascade are found; see <see cref="CoLMOperations.CalibrateCascade"/>.</summary>
public sealed class CascadeCalibrationOptions
{
    /// <summary>
    /// Chain counts that the cascade may stop at, each more than the one before; the last stands for all chains, which the
    /// metric is compared with. Null takes 1, 2 and so on up to the model's. The search decides which of them pay.
    /// Default: null.
    /// </summary>
    public IReadOnlyList<int>? ChainCounts { get; set; }

    /// <summary>How sure the promise is to be, from 0.5, which leaves no margin, to less than 1. Default: 0.95.</summary>
    public double Confidence { get; set; } = 0.95;

    /// <summary>
    /// What is to stay near that of all chains: <see cref="SweepMetric.Loss"/> of language models, which null takes there;
    /// <see cref="SweepMetric.Accuracy"/> of classification, which null takes there (<see cref="SweepMetric.MicroAccuracy"/> is
    /// the same), or its <see cref="SweepMetric.LogLoss"/>, natural log. Default: null.
    /// </summary>
    public SweepMetric? Metric { get; set; }

    /// <summary>The label of classification, of the type that the model was tuned for. Default: "Label".</summary>
    public string LabelColumnName { get; set; } = "Label";

    /// <summary>What later changes of these options do not reach.</summary>
    internal CascadeCalibrationOptions Copy()
    {
        var copy = (CascadeCalibrationOptions)MemberwiseClone();
        copy.ChainCounts = ChainCounts is null ? null : [.. ChainCounts];
        return copy;
    }

    /// <summary>Refuses what no model has.</summary>
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
