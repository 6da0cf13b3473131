namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>A tensor that a file must hold.</summary>
internal readonly record struct TensorSpec(string Name, long[] Shape);
