namespace Microsoft.ML.CoLM;

/// <summary>How often a language model finds the correct choice.</summary>
public sealed class MultipleChoiceMetrics
{
    internal MultipleChoiceMetrics()
    {
    }

    /// <summary>Share of items whose most probable choice is correct.</summary>
    public double Accuracy { get; internal init; }

    /// <summary>The same by log-probability per character of the choice.</summary>
    public double NormalizedAccuracy { get; internal init; }

    /// <summary>The same by log-probability per UTF-8 byte of the choice.</summary>
    public double BytesAccuracy { get; internal init; }

    /// <summary>Standard error of <see cref="Accuracy"/>.</summary>
    public double StandardError { get; internal init; }

    /// <summary>Standard error of <see cref="NormalizedAccuracy"/>.</summary>
    public double NormalizedStandardError { get; internal init; }

    /// <summary>F1 of choice 1 of two; NaN if the items have other numbers of choices.</summary>
    public double F1Score { get; internal init; }

    /// <summary>Matthews correlation of predicted and correct choices.</summary>
    public double MatthewsCorrelation { get; internal init; }

    /// <summary>The number of items.</summary>
    public int Count { get; internal init; }
}
