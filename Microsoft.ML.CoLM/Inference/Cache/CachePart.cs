namespace Microsoft.ML.CoLM.Inference;

/// <summary>A piece of a written cache: one layer's keys or values of a chain and a sequence, [heads, length, d].</summary>
internal readonly record struct CachePart(int Layer, int Chain, int Sequence, bool IsKey, int Heads, int Length);
