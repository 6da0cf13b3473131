namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Writes spaces as <c>▁</c> and puts one in front: of a document always, even if it begins with one, as SentencePiece does; of
/// text behind an added token, where that gets one, only if it does not begin with one, as transformers' <c>legacy</c> tokenizer
/// does.
/// </summary>
/// <param name="beginsDocuments">Whether one is put in front of documents.</param>
/// <param name="beginsParts">Whether one is put in front of text behind an added token.</param>
internal sealed class SentencePieceSpaces(bool beginsDocuments, bool beginsParts) : IPreTokenizer
{
    /// <inheritdoc/>
    public List<Word> Cut(List<Word> words, Action? checkAlive) =>
        words.ConvertAll(word => word with { Text = Write(word).AsMemory() });

    private string Write(Word word)
    {
        string text = word.Text.ToString().Replace(' ', CharacterEncoder.Space);
        bool begins = word.StartsDocument ? beginsDocuments : beginsParts && text[0] != CharacterEncoder.Space;
        return begins ? CharacterEncoder.Space + text : text;
    }
}
