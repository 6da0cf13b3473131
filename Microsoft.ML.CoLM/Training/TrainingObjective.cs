namespace Microsoft.ML.CoLM;

/// <summary>The loss that training minimizes.</summary>
public enum TrainingObjective
{
    /// <summary>The cross-entropy at the last scale, the paper's pre-training objective.</summary>
    LastScale = 0,

    /// <summary>
    /// The weighted sum of the cross-entropies of all trained scales, which makes every chain count predict well.
    /// </summary>
    MultiChain = 1,
}
