namespace Microsoft.ML.CoLM.Inference;

/// <summary>What products of a few rows write.</summary>
internal enum SlotBuffer
{
    /// <summary>What layers add to.</summary>
    Residual,

    Query,

    Key,

    Value,

    Gate,

    Up,

    /// <summary>The head's outputs at the scale that a slot was last run to.</summary>
    Logits,
}
