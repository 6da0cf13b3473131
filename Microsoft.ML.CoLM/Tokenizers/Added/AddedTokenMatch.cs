namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>An added token in a text.</summary>
/// <param name="Start">Where it begins, with white space that belongs to it.</param>
/// <param name="End">Where it ends.</param>
/// <param name="Token">The token.</param>
internal readonly record struct AddedTokenMatch(int Start, int End, AddedToken Token);
