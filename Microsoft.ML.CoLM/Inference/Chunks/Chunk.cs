using Microsoft.ML.CoLM.Chains;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>Neighbouring tokens of a sequence that are worked on at once.</summary>
/// <param name="Sequence">The sequence.</param>
/// <param name="Start">Position of the first token.</param>
/// <param name="Length">Tokens.</param>
/// <param name="Chains">The chains that are computed.</param>
/// <param name="FirstRow">The first token's row in the features.</param>
internal readonly record struct Chunk(int Sequence, int Start, int Length, ChainRange Chains, long FirstRow);
