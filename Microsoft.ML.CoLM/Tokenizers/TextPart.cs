namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>A part of a text that is put together.</summary>
/// <param name="Text">Its characters.</param>
/// <param name="ParsesSpecialTokens">Whether what spells a special token within it means that token.</param>
internal readonly record struct TextPart(string Text, bool ParsesSpecialTokens);
