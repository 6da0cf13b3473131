namespace Microsoft.ML.CoLM;

/// <summary>How far predicted numbers go with the labels.</summary>
public sealed class CorrelationMetrics
{
    internal CorrelationMetrics()
    {
    }

    /// <summary>Pearson's correlation; NaN where a side does not vary.</summary>
    public double PearsonCorrelation { get; internal init; }

    /// <summary>Spearman's correlation of ranks, ties at their mean; NaN where a side does not vary.</summary>
    public double SpearmanCorrelation { get; internal init; }

    /// <summary>Rows that have a label.</summary>
    public int Count { get; internal init; }
}
