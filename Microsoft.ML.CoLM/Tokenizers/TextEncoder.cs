using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// The way from a text to token ids, step by step as in Hugging Face's tokenizers: added tokens are found in the text as given,
/// what is between them is normalized, further added tokens are found there, and what is left is cut into words, which are
/// encoded each by itself. Safe for several threads.
/// </summary>
internal sealed class TextEncoder
{
    private readonly AddedTokenSplitter _given;
    private readonly AddedTokenSplitter _normalized;
    private readonly AddedTokenSplitter _special;
    private readonly ITextNormalizer? _normalizer;
    private readonly IReadOnlyList<IPreTokenizer> _steps;
    private readonly IWordEncoder _words;

    /// <param name="addedTokens">The tokens that are recognised in the text.</param>
    /// <param name="normalizer">Changes what is between them; null leaves it.</param>
    /// <param name="steps">Cut it into words.</param>
    /// <param name="words">Encodes a word.</param>
    public TextEncoder(
        IReadOnlyCollection<AddedToken> addedTokens, ITextNormalizer? normalizer, IReadOnlyList<IPreTokenizer> steps,
        IWordEncoder words)
    {
        (_normalizer, _steps, _words) = (normalizer, steps, words);
        // Of two tokens that normalizing makes alike, a special one counts.
        AddedToken[] ordered = [.. addedTokens.OrderByDescending(token => token.IsSpecial)];
        _given = new([.. ordered.Where(token => !token.IsNormalized)]);
        _normalized = new([.. ordered.Where(token => token.IsNormalized)
            .Select(token => token with { Content = Normalize(token.Content) }).Where(token => token.Content.Length > 0)]);
        _special = new([.. ordered.Where(token => token.IsSpecial)]);
    }

    /// <summary>Appends a text's ids.</summary>
    /// <param name="text">The text.</param>
    /// <param name="parsesSpecialTokens">Whether what spells a special token means that token.</param>
    /// <param name="ids">Receives the ids.</param>
    /// <param name="checkAlive">Called often; what it throws ends encoding.</param>
    public void Encode(string text, bool parsesSpecialTokens, List<int> ids, Action? checkAlive)
    {
        foreach (Piece piece in Pieces(text, parsesSpecialTokens, startsDocument: true, checkAlive))
            Encode(piece, ids, checkAlive);
    }

    /// <summary>Appends the ids of a text in parts: no part's special tokens begin or end outside it.</summary>
    public void Encode(IReadOnlyList<TextPart> parts, List<int> ids, Action? checkAlive)
    {
        string text = string.Concat(parts.Select(part => part.Text));
        if (parts.All(part => part.ParsesSpecialTokens) || !parts.Any(part => part.ParsesSpecialTokens))
        {
            Encode(text, parts.All(part => part.ParsesSpecialTokens), ids, checkAlive);
            return;
        }
        var (start, done) = (0, 0);
        foreach (TextPart part in parts)
        {
            if (part.ParsesSpecialTokens)
            {
                foreach (AddedTokenMatch match in _special.Find(part.Text, static _ => true, checkAlive))
                {
                    EncodeText(done, start + match.Start);
                    ids.Add(match.Token.Id);
                    done = start + match.End;
                }
            }
            start += part.Text.Length;
        }
        EncodeText(done, text.Length);

        void EncodeText(int from, int to)
        {
            foreach (Piece piece in Pieces(text[from..to], false, startsDocument: from == 0, checkAlive))
                Encode(piece, ids, checkAlive);
        }
    }

    /// <summary>A text's ids with the places in the normalized text that each stands for.</summary>
    /// <returns>The normalized text, which is the text itself without a normalizer, and its tokens.</returns>
    public (string Text, List<(int Id, int Start, int End)> Tokens) Locate(string text, bool parsesSpecialTokens)
    {
        var normalized = new StringBuilder();
        List<(int Id, int Start, int End)> tokens = [];
        foreach (Piece piece in Pieces(text, parsesSpecialTokens, startsDocument: true, checkAlive: null))
        {
            int start = normalized.Length;
            normalized.Append(piece.Text);
            if (piece.TokenId is int added)
                tokens.Add((added, start, normalized.Length));
            else
                Locate(piece, start, tokens);
        }
        return (normalized.ToString(), tokens);
    }

    private void Locate(Piece piece, int offset, List<(int Id, int Start, int End)> tokens)
    {
        List<Word> words = Words(piece, checkAlive: null);
        List<(int Start, int End)[]> places = WordAlignment.Of(piece.Text, words);
        for (var i = 0; i < words.Count; i++)
        {
            List<int> ids = [];
            _words.Encode(words[i].Text.Span, ids, checkAlive: null);
            List<(int Start, int End)> parts = _words.Locate(words[i].Text.Span, ids.ToArray());
            for (var j = 0; j < ids.Count; j++)
                tokens.Add((ids[j], offset + places[i][parts[j].Start].Start, offset + places[i][parts[j].End - 1].End));
        }
    }

    private void Encode(Piece piece, List<int> ids, Action? checkAlive)
    {
        if (piece.TokenId is int added)
        {
            ids.Add(added);
            return;
        }
        foreach (Word word in Words(piece, checkAlive))
            _words.Encode(word.Text.Span, ids, checkAlive);
    }

    private List<Word> Words(Piece piece, Action? checkAlive)
    {
        List<Word> words = [new(piece.Text.AsMemory(), piece.StartsDocument)];
        foreach (IPreTokenizer step in _steps)
            words = step.Cut(words, checkAlive);
        return words;
    }

    private IEnumerable<Piece> Pieces(string text, bool parsesSpecialTokens, bool startsDocument, Action? checkAlive)
    {
        text = WellFormedText.Of(text);
        Func<AddedToken, bool> isTaken = parsesSpecialTokens ? static _ => true : static token => !token.IsSpecial;
        foreach (Piece given in Split(text, _given.Find(text, isTaken, checkAlive), startsDocument))
        {
            string normalized = given.TokenId is null ? Normalize(given.Text) : given.Text;
            if (given.TokenId is not null)
            {
                yield return given;
                continue;
            }
            foreach (Piece piece in
                Split(normalized, _normalized.Find(normalized, isTaken, checkAlive), given.StartsDocument))
            {
                yield return piece;
            }
        }
    }

    private static IEnumerable<Piece> Split(string text, List<AddedTokenMatch> matches, bool startsDocument)
    {
        var done = 0;
        foreach (AddedTokenMatch match in matches)
        {
            if (match.Start > done)
                yield return new(text[done..match.Start], null, startsDocument && done == 0);
            yield return new(text[match.Start..match.End], match.Token.Id, startsDocument && match.Start == 0);
            done = match.End;
        }
        if (done < text.Length)
            yield return new(done == 0 ? text : text[done..], null, startsDocument && done == 0);
    }

    private string Normalize(string text) => _normalizer?.Normalize(text) ?? text;

    /// <summary>An added token in a text, or the text between two of them.</summary>
    /// <param name="Text">Its characters, normalized; at least one.</param>
    /// <param name="TokenId">The added token's id; null for text.</param>
    /// <param name="StartsDocument">Whether nothing stands before it in its document.</param>
    private readonly record struct Piece(string Text, int? TokenId, bool StartsDocument);
}
