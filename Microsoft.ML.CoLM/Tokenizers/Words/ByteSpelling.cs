namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Spells the bytes of words in <see cref="ByteAlphabet"/>.</summary>
internal sealed class ByteSpelling : IPreTokenizer
{
    /// <inheritdoc/>
    public List<Word> Cut(List<Word> words, Action? checkAlive)
    {
        var spelled = new List<Word>(words.Count);
        (long before, long after) = (0, 0);
        foreach (Word word in words)
        {
            checkAlive?.Invoke();
            string text = ByteAlphabet.Spell(word.Text.Span);
            TextGrowth.Check(before += word.Text.Length, after += text.Length);
            spelled.Add(word with { Text = text.AsMemory() });
        }
        return spelled;
    }
}
