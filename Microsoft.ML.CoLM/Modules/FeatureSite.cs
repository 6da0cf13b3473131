namespace Microsoft.ML.CoLM.Modules;

/// <summary>The places of a decoder layer at which a later chain reads the features of earlier ones.</summary>
internal enum FeatureSite
{
    /// <summary>Normalised input of the query, key and value projections.</summary>
    AttentionInput,

    /// <summary>Keys of the first chain, with their positions' rotation; only where chains share them.</summary>
    Keys,

    /// <summary>Values of the first chain; only where chains share them.</summary>
    Values,

    /// <summary>What the heads read, input of the output projection.</summary>
    AttentionOutput,

    /// <summary>Normalised input of the gate and up projections.</summary>
    FeedForwardInput,

    /// <summary>silu(gate) · up, input of the down projection.</summary>
    FeedForwardHidden,
}
