namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>One entry of a vocabulary.</summary>
/// <param name="Name">The token as its file spells it.</param>
/// <param name="IsSpecial">Whether it marks something rather than being text: decoding leaves it out.</param>
internal readonly record struct Token(string Name, bool IsSpecial);
