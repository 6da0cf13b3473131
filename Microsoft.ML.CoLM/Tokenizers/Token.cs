namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>One entry of a vocabulary.</summary>
/// <param name="Name">The token as its file spells it.</param>
/// <param name="Bytes">The UTF-8 text it stands for; part of a character's bytes, possibly.</param>
/// <param name="IsSpecial">Whether it marks something rather than being text: decoding leaves it out.</param>
internal sealed record Token(string Name, byte[] Bytes, bool IsSpecial);
