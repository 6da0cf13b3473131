namespace ForgettingStudy;

/// <summary>Texts that may be literal parts of others: runs of the same words.</summary>
internal sealed class Phrases
{
    private readonly HashSet<string> _texts;
    private readonly int _mostWords;

    public Phrases(IEnumerable<Sentence> sentences)
    {
        _texts = [.. sentences.Select(sentence => Plain(sentence.Text))];
        _mostWords = _texts.Count == 0 ? 0 : _texts.Max(text => text.Count(character => character == ' ') + 1);
    }

    /// <summary>Those that some sentences contain, words separated by one blank.</summary>
    public HashSet<string> In(IEnumerable<Sentence> sentences) =>
        [.. sentences.SelectMany(sentence => In(sentence.Text))];

    /// <summary>Whether a text contains, or is, one of them.</summary>
    public bool AreIn(Sentence sentence) => In(sentence.Text).Any();

    /// <summary>The words of a text with one blank between them.</summary>
    public static string Plain(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private IEnumerable<string> In(string text)
    {
        var plain = Plain(text);
        int[] starts = [0, .. Enumerable.Range(1, plain.Length).Where(i => plain[i - 1] == ' '), plain.Length + 1];
        for (var first = 0; first < starts.Length - 1; first++)
        {
            for (var end = first + 1; end < starts.Length && end - first <= _mostWords; end++)
            {
                if (Find(plain.AsSpan()[starts[first]..(starts[end] - 1)]) is { } found)
                    yield return found;
            }
        }
    }

    private string? Find(ReadOnlySpan<char> text) =>
        _texts.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text, out var found) ? found : null;
}
