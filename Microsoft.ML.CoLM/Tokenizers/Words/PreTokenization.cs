namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>How a <c>tokenizer.json</c> cuts text into words.</summary>
/// <param name="Steps">The steps, each over the words of the one before.</param>
/// <param name="SpellsBytes">
/// Whether the model's vocabulary spells the words' UTF-8 bytes in <see cref="ByteAlphabet"/> (a last step <c>ByteLevel</c>); the
/// steps leave that spelling to the model.
/// </param>
internal sealed record PreTokenization(IReadOnlyList<IPreTokenizer> Steps, bool SpellsBytes)
{
    /// <summary>The words of a text, in order.</summary>
    /// <param name="text">The text; without any, there are no words.</param>
    /// <param name="checkAlive">Called often; what it throws ends cutting.</param>
    /// <exception cref="InvalidDataException">An expression takes too long on this text.</exception>
    public List<Word> Cut(Word text, Action? checkAlive)
    {
        List<Word> words = text.Text.IsEmpty ? [] : [text];
        foreach (IPreTokenizer step in Steps)
            words = step.Cut(words, checkAlive);
        return words;
    }
}
