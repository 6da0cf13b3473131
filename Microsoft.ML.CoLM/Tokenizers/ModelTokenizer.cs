using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// The tokenizer of a model folder: a <see cref="TextEncoder"/>, the tokens that the folder's files put around a text, and the
/// way back.
/// </summary>
/// <remarks>
/// Where Hugging Face's tokenizers and SentencePiece take the longest of several special tokens, begin an empty text,
/// too, and put SentencePiece's leading space at a document's beginning only, so does this class; the tokenizers that
/// Microsoft.ML.Tokenizers brings do not. Safe for several threads.
/// </remarks>
internal sealed class ModelTokenizer : Tokenizer
{
    private readonly TextEncoder _encoder;
    private readonly TextDecoding _decoding;
    private readonly IReadOnlyDictionary<int, Token> _tokens;
    private readonly bool _parsesSpecialTokens;

    /// <param name="encoder">Encodes text.</param>
    /// <param name="decoding">Makes text of tokens.</param>
    /// <param name="tokens">Every token, added ones too, by its id.</param>
    /// <param name="template">What stands around a text.</param>
    /// <param name="parsesSpecialTokens">Whether text that spells a special token means that token.</param>
    public ModelTokenizer(
        TextEncoder encoder, TextDecoding decoding, IReadOnlyDictionary<int, Token> tokens, TextTemplate template,
        bool parsesSpecialTokens)
    {
        (_encoder, _decoding, _tokens) = (encoder, decoding, tokens);
        (Template, _parsesSpecialTokens) = (template, parsesSpecialTokens);
    }

    /// <summary>Every token, added ones too, by its id.</summary>
    public IReadOnlyDictionary<int, Token> Tokens => _tokens;

    /// <summary>The tokens that encoding puts around a text.</summary>
    public TextTemplate Template { get; }

    /// <summary>The tokenizer with another answer to whether text that spells a special token means that token.</summary>
    public ModelTokenizer WithSpecialTokens(bool parsed) => parsed == _parsesSpecialTokens
        ? this
        : new(_encoder, _decoding, _tokens, Template, parsed);

    /// <summary>The ids of a text, without those around it.</summary>
    /// <param name="text">The text.</param>
    /// <param name="checkAlive">Called often; what it throws ends encoding.</param>
    public List<int> EncodeText(string text, Action? checkAlive = null)
    {
        List<int> ids = [];
        _encoder.Encode(text, _parsesSpecialTokens, ids, checkAlive);
        return ids;
    }

    /// <summary>
    /// The ids of a text in parts, without those around it. Special tokens are parsed in the parts that say so, and in the others
    /// where this tokenizer does.
    /// </summary>
    public List<int> EncodeText(IReadOnlyList<TextPart> parts, Action? checkAlive = null)
    {
        List<int> ids = [];
        _encoder.Encode(
            [.. parts.Select(part => part with { ParsesSpecialTokens = part.ParsesSpecialTokens || _parsesSpecialTokens })],
            ids, checkAlive);
        return ids;
    }

    /// <summary>Begins to make text of tokens.</summary>
    /// <param name="write">Takes the text, piece by piece.</param>
    public TokenSink BeginDecoding(Action<ReadOnlySpan<char>> write) => _decoding.Begin(write);

    /// <summary>Adds a token to a text; special tokens, and ids that no token has, add nothing.</summary>
    public void Append(int id, TokenSink text)
    {
        if (_tokens.TryGetValue(id, out Token token) && !token.IsSpecial)
            text.Append(token.Name);
    }

    /// <summary>The text of token ids without special tokens. Ids that no token has are left out.</summary>
    /// <remarks>Bytes that are no UTF-8, as the end of a cut sequence may be, become U+FFFD.</remarks>
    public override string Decode(IEnumerable<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var text = new StringBuilder();
        TokenSink sink = BeginDecoding(piece => text.Append(piece));
        foreach (int id in ids)
            Append(id, sink);
        sink.Complete();
        return text.ToString();
    }

    /// <summary>As <see cref="Decode(IEnumerable{int})"/>; nothing is written unless everything fits.</summary>
    public override OperationStatus Decode(
        IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        ArgumentNullException.ThrowIfNull(ids);
        int[] all = [.. ids];
        string text = Decode(all);
        bool fits = text.TryCopyTo(destination);
        idsConsumed = fits ? all.Length : 0;
        charsWritten = fits ? text.Length : 0;
        return fits ? OperationStatus.Done : OperationStatus.DestinationTooSmall;
    }

    /// <inheritdoc/>
    protected override EncodeResults<int> EncodeToIds(
        string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(settings.MaxTokenCount, 1);
        text ??= textSpan.ToString();
        List<int> ids = [.. Template.Before, .. EncodeText(text), .. Template.Behind];
        if (ids.Count <= settings.MaxTokenCount)
            return new() { Tokens = ids, CharsConsumed = text.Length };
        ids.RemoveRange(settings.MaxTokenCount, ids.Count - settings.MaxTokenCount);
        List<EncodedToken> tokens = Locate(text, out string? normalized);
        return new()
        {
            Tokens = ids,
            NormalizedText = normalized,
            CharsConsumed = tokens[settings.MaxTokenCount - 1].Offset.End.Value,
        };
    }

    /// <inheritdoc/>
    protected override EncodeResults<EncodedToken> EncodeToTokens(
        string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        text ??= textSpan.ToString();
        List<EncodedToken> tokens = Locate(text, out string? normalized);
        return new() { Tokens = tokens, NormalizedText = normalized, CharsConsumed = (normalized ?? text).Length };
    }

    /// <inheritdoc/>
    protected override int CountTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(settings.MaxTokenCount, 1);
        int count = Template.Before.Count + EncodeText(text ?? textSpan.ToString()).Count + Template.Behind.Count;
        return Math.Min(count, settings.MaxTokenCount);
    }

    /// <summary>Says which characters of the normalized text each token stands for: those that any of its bytes belongs to.</summary>
    private List<EncodedToken> Locate(string text, out string? normalized)
    {
        (string encoded, List<(int Id, int Start, int End)> located) = _encoder.Locate(text, _parsesSpecialTokens);
        normalized = encoded == WellFormedText.Of(text) ? null : encoded;
        return
        [
            .. Template.Before.Select(id => Token(id, 0, 0)),
            .. located.Select(token => Token(token.Id, token.Start, token.End)),
            .. Template.Behind.Select(id => Token(id, encoded.Length, encoded.Length)),
        ];

        EncodedToken Token(int id, int start, int end) => new(id, _tokens[id].Name, new(start, end));
    }
}
