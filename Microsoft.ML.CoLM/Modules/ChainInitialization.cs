namespace Microsoft.ML.CoLM;

/// <summary>How the weights of new chains are initialized. Their language heads are zero in either case.</summary>
public enum ChainInitialization
{
    /// <summary>Normal with mean 0 and deviation 0.02, norms of 1: the paper's Chain Expansion.</summary>
    Normal = 0,

    /// <summary>
    /// A copy of the first chain's, with zeros where an earlier chain is read, so that the new chain's features are the
    /// first's: tuning starts from what the model knows instead of from scratch. Not in the paper. Each new chain must be as
    /// wide as the first.
    /// </summary>
    CopyFirstChain = 1,
}
