namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>A part of a text.</summary>
/// <param name="Start">Where it begins.</param>
/// <param name="End">Where it ends, which may be where it begins.</param>
/// <param name="IsMatch">Whether a pattern matched there; otherwise it stands between matches.</param>
internal readonly record struct PatternMatch(int Start, int End, bool IsMatch);
