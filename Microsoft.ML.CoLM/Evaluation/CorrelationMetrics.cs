namespace Microsoft.ML.CoLM;

/// <summary>How well predicted numbers correlate with the labels.</summary>
public sealed class CorrelationMetrics
{
    internal CorrelationMetrics()
    {
    }

    /// <summary>Pearson correlation; NaN if the labels or the scores are constant.</summary>
    public double PearsonCorrelation { get; internal init; }

    /// <summary>
    /// Spearman rank correlation, with ties at their mean rank; NaN if the labels or the scores are constant.
    /// </summary>
    public double SpearmanCorrelation { get; internal init; }

    /// <summary>The number of rows that have a label.</summary>
    public int Count { get; internal init; }
}
