using System.Buffers;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Finds added tokens in a text: the leftmost, and of several that begin at one place the longest.</summary>
internal sealed class AddedTokenFinder
{
    private readonly SearchValues<string> _contents;
    private readonly Dictionary<char, AddedToken[]> _longestFirst;

    /// <summary>Prepares the search; no content may be empty.</summary>
    public AddedTokenFinder(IReadOnlyCollection<AddedToken> tokens)
    {
        _contents = SearchValues.Create([.. tokens.Select(token => token.Content)], StringComparison.Ordinal);
        _longestFirst = tokens.GroupBy(token => token.Content[0]).ToDictionary(
            group => group.Key, group => group.OrderByDescending(token => token.Content.Length).ToArray());
    }

    /// <summary>Looks for the first added token of a text.</summary>
    /// <returns>False when the text has none.</returns>
    public bool TryFind(ReadOnlySpan<char> text, out int index, out AddedToken token)
    {
        token = default;
        index = text.IndexOfAny(_contents);
        if (index < 0)
            return false;
        ReadOnlySpan<char> rest = text[index..];
        foreach (AddedToken candidate in _longestFirst[rest[0]])
        {
            if (rest.StartsWith(candidate.Content))
            {
                token = candidate;
                break;
            }
        }
        return true;
    }
}
