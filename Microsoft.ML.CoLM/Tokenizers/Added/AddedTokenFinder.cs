using System.Buffers;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Finds added tokens in a text: the leftmost, and of several that begin at one place the longest.</summary>
internal sealed class AddedTokenFinder
{
    // Characters that are searched between two questions whether to go on.
    private const int Piece = 4096;

    private readonly SearchValues<string> _contents;
    private readonly Dictionary<string, AddedToken>.AlternateLookup<ReadOnlySpan<char>> _byContent;
    private readonly Dictionary<char, int[]> _lengths; // of those that begin with a character, the longest first
    private readonly int _longest;

    /// <summary>Prepares the search; no content may be empty.</summary>
    public AddedTokenFinder(IReadOnlyCollection<AddedToken> tokens)
    {
        Dictionary<string, AddedToken> byContent = [];
        foreach (AddedToken token in tokens)
            byContent.TryAdd(token.Content, token);
        _byContent = byContent.GetAlternateLookup<ReadOnlySpan<char>>();
        _contents = SearchValues.Create([.. byContent.Keys], StringComparison.Ordinal);
        _lengths = byContent.Keys.GroupBy(content => content[0]).ToDictionary(
            group => group.Key, group => group.Select(content => content.Length).Distinct().OrderDescending().ToArray());
        _longest = byContent.Keys.Select(content => content.Length).DefaultIfEmpty().Max();
    }

    /// <summary>Looks for the first added token of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="index">Where the token begins.</param>
    /// <param name="token">The token.</param>
    /// <param name="checkAlive">Called often; what it throws ends the search.</param>
    /// <returns>False when the text has none.</returns>
    public bool TryFind(ReadOnlySpan<char> text, out int index, out AddedToken token, Action? checkAlive = null)
    {
        (index, token) = (-1, default);
        if (_longest == 0)
            return false;
        for (var start = 0; start < text.Length; start += Piece)
        {
            checkAlive?.Invoke();
            // A token that begins in the piece may end after it; one that begins after it is the next piece's.
            int end = Math.Min(text.Length, start + Piece + _longest - 1);
            int found = text[start..end].IndexOfAny(_contents);
            if (found is < 0 or >= Piece)
                continue;
            index = start + found;
            ReadOnlySpan<char> rest = text[index..];
            foreach (int length in _lengths[rest[0]])
            {
                if (length <= rest.Length && _byContent.TryGetValue(rest[..length], out token))
                    return true;
            }
        }
        return false;
    }
}
