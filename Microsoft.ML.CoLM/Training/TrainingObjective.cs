namespace Microsoft.ML.CoLM;

/// <summary>What training makes small.</summary>
public enum TrainingObjective
{
    /// <summary>The cross-entropy at the last scale, the paper's pre-training objective.</summary>
    LastScale = 0,

    /// <summary>
    /// The weighted sum of the cross-entropies of all trained scales, after which every chain count predicts well.
    /// </summary>
    MultiChain = 1,
}
