namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Writes spaces as <c>▁</c> and puts one in front of a document, even if it begins with one, as SentencePiece does.
/// </summary>
/// <param name="beginsDocuments">Whether one is put in front.</param>
internal sealed class SentencePieceSpaces(bool beginsDocuments) : IPreTokenizer
{
    /// <inheritdoc/>
    public List<Word> Cut(List<Word> words, Action? checkAlive) =>
        words.ConvertAll(word => word with { Text = Write(word).AsMemory() });

    private string Write(Word word)
    {
        string text = word.Text.ToString().Replace(' ', CharacterEncoder.Space);
        return beginsDocuments && word.StartsDocument ? CharacterEncoder.Space + text : text;
    }
}
