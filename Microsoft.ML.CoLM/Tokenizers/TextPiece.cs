namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>An added token in a text, or the text between two of them.</summary>
/// <param name="Text">Its characters, normalized; at least one.</param>
/// <param name="TokenId">The added token's id; null for text.</param>
/// <param name="StartsDocument">Whether nothing stands before it in its document.</param>
internal readonly record struct TextPiece(string Text, int? TokenId, bool StartsDocument);
