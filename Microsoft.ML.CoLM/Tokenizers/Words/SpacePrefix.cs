namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Puts a space in front of each word that does not begin with one.</summary>
internal sealed class SpacePrefix : IPreTokenizer
{
    /// <inheritdoc/>
    public List<Word> Cut(List<Word> words, Action? checkAlive)
    {
        var changed = new List<Word>(words.Count);
        foreach (Word word in words)
        {
            checkAlive?.Invoke();
            changed.Add(word.Text.Span[0] == ' ' ? word : word with { Text = $" {word.Text.Span}".AsMemory() });
        }
        return changed;
    }
}
