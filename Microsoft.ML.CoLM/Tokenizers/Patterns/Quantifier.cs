namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>How often a part of an expression may stand.</summary>
/// <param name="Least">How often at least.</param>
/// <param name="Most">How often at most, or null.</param>
/// <param name="IsLazy">Whether fewer times are tried first.</param>
/// <param name="IsPossessive">Whether the first number of times that fits is final.</param>
internal readonly record struct Quantifier(int Least, int? Most, bool IsLazy, bool IsPossessive);
