namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Replaces spaces by another character, and puts it in front of words that do not begin with it.</summary>
/// <param name="replacement">The character.</param>
/// <param name="scheme">Which words get it in front.</param>
internal sealed class SpaceReplacement(string replacement, PrependScheme scheme) : IPreTokenizer
{
    /// <inheritdoc/>
    public List<Word> Cut(List<Word> words, Action? checkAlive)
    {
        var changed = new List<Word>(words.Count);
        foreach (Word word in words)
        {
            checkAlive?.Invoke();
            string text = word.Text.ToString().Replace(" ", replacement, StringComparison.Ordinal);
            bool isPrepended = scheme switch
            {
                PrependScheme.Always => true,
                PrependScheme.First => word.StartsDocument,
                _ => false,
            };
            if (isPrepended && !text.StartsWith(replacement, StringComparison.Ordinal))
                text = replacement + text;
            changed.Add(word with { Text = text.AsMemory() });
        }
        return changed;
    }
}
