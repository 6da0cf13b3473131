namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>A part of a text that no token reaches out of.</summary>
/// <param name="Text">Its characters, at least one.</param>
/// <param name="StartsDocument">Whether nothing stands before it in its document.</param>
internal readonly record struct Word(ReadOnlyMemory<char> Text, bool StartsDocument);
