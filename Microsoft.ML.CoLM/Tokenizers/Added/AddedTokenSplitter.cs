namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Finds all added tokens of a text by the rules of Hugging Face's tokenizers. Safe for several threads.</summary>
internal sealed class AddedTokenSplitter
{
    private readonly AddedTokenFinder _finder;

    /// <param name="tokens">The tokens; of two of the same characters, the first counts.</param>
    public AddedTokenSplitter(IReadOnlyCollection<AddedToken> tokens) => _finder = new(tokens);

    /// <summary>The tokens of a text in order; none overlaps another.</summary>
    /// <param name="text">The text.</param>
    /// <param name="isTaken">
    /// Whether a token counts; what a token that does not count covers is text, and no other token begins within it.
    /// </param>
    /// <param name="checkAlive">Called often; what it throws ends the search.</param>
    public List<AddedTokenMatch> Find(ReadOnlySpan<char> text, Func<AddedToken, bool> isTaken, Action? checkAlive)
    {
        List<AddedTokenMatch> matches = [];
        var (position, taken) = (0, 0);
        while (_finder.TryFind(text[position..], out int index, out AddedToken token, checkAlive))
        {
            int start = position + index;
            int end = position = start + token.Content.Length;
            if (!isTaken(token) ||
                (token.IsWord && (WordCharacters.End(text[..start]) || WordCharacters.Begin(text[end..]))))
            {
                continue;
            }
            // The token before may have taken the white space that this one begins with, or all of it.
            if (end <= taken)
                continue;
            start = Math.Max(start, taken);
            if (token.StripsBefore)
                start = taken + text[taken..start].TrimEnd().Length;
            if (token.StripsBehind)
                end = text.Length - text[end..].TrimStart().Length;
            matches.Add(new(start, end, token));
            taken = end;
        }
        return matches;
    }
}
