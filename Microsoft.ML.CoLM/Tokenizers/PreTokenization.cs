namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>How a <c>tokenizer.json</c> cuts text into words.</summary>
/// <param name="Steps">The steps, each over the words of the one before.</param>
/// <param name="SpellsBytes">
/// Whether the model's vocabulary spells the words' UTF-8 bytes in <see cref="ByteAlphabet"/> (a last step <c>ByteLevel</c>); the
/// steps leave that spelling to the model.
/// </param>
internal sealed record PreTokenization(IReadOnlyList<IPreTokenizer> Steps, bool SpellsBytes);
