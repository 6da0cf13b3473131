namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Cuts words at the matches of a pattern.</summary>
/// <param name="pattern">The pattern.</param>
/// <param name="behavior">What becomes of the matches.</param>
/// <param name="invert">Whether what stands between the matches takes their place.</param>
internal sealed class PatternSplitter(TextPattern pattern, SplitBehavior behavior, bool invert = false) : IPreTokenizer
{
    /// <inheritdoc/>
    public List<Word> Cut(List<Word> words, Action? checkAlive)
    {
        var finer = new List<Word>(words.Count);
        List<PatternMatch> parts = [];
        MatchTime time = pattern.StartTime(words.Sum(word => word.Text.Length));
        foreach (Word word in words)
        {
            parts.Clear();
            pattern.Cut(word.Text.Span, time, parts, checkAlive);
            if (invert)
            {
                for (var i = 0; i < parts.Count; i++)
                    parts[i] = parts[i] with { IsMatch = !parts[i].IsMatch };
            }
            AddWords(word, parts, finer);
        }
        return finer;
    }

    private void AddWords(Word word, List<PatternMatch> parts, List<Word> words)
    {
        switch (behavior)
        {
            case SplitBehavior.Removed:
                foreach (PatternMatch part in parts)
                {
                    if (!part.IsMatch)
                        Add(word, part.Start, part.End, words);
                }
                break;
            case SplitBehavior.Isolated:
                foreach (PatternMatch part in parts)
                    Add(word, part.Start, part.End, words);
                break;
            default:
                AddMerged(word, parts, words);
                break;
        }
    }

    private void AddMerged(Word word, List<PatternMatch> parts, List<Word> words)
    {
        for (var i = 0; i < parts.Count;)
        {
            int first = i++;
            while (i < parts.Count && IsMerged(parts, i))
                i++;
            Add(word, parts[first].Start, parts[i - 1].End, words);
        }
    }

    /// <summary>Whether a part belongs to the word of the part before it.</summary>
    private bool IsMerged(List<PatternMatch> parts, int index)
    {
        (bool previous, bool current) = (parts[index - 1].IsMatch, parts[index].IsMatch);
        return behavior switch
        {
            SplitBehavior.MergedWithPrevious => current && !previous,
            SplitBehavior.MergedWithNext => previous && !current,
            _ => current == previous,
        };
    }

    private static void Add(Word word, int start, int end, List<Word> words)
    {
        if (end > start)
            words.Add(new(word.Text[start..end], word.StartsDocument && start == 0));
    }
}
