using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// The tokenizer of a model folder: finds the added tokens in a text, leaves what is between them to an
/// <see cref="ITextEncoder"/>, and puts the beginning-of-text token in front where the folder's files say so.
/// </summary>
/// <remarks>
/// Where Hugging Face's tokenizers and SentencePiece take the longest of several special tokens, begin an empty text,
/// too, and put SentencePiece's leading space at a document's beginning only, so does this class; the tokenizers that
/// Microsoft.ML.Tokenizers brings do not. Safe for several threads.
/// </remarks>
internal sealed class ModelTokenizer : Tokenizer
{
    private readonly ITextEncoder _encoder;
    private readonly IReadOnlyDictionary<int, Token> _tokens;
    private readonly AddedTokenFinder _addedTokens;

    /// <param name="encoder">Encodes the text between added tokens.</param>
    /// <param name="tokens">Every token, added ones too, by its id.</param>
    /// <param name="addedTokens">The tokens that are recognised in the text as they stand.</param>
    /// <param name="beginningOfTextId">The token that encoding puts in front of a text, if any.</param>
    public ModelTokenizer(
        ITextEncoder encoder,
        IReadOnlyDictionary<int, Token> tokens,
        IReadOnlyCollection<AddedToken> addedTokens,
        int? beginningOfTextId)
    {
        _encoder = encoder;
        _tokens = tokens;
        _addedTokens = new(addedTokens);
        BeginningOfTextId = beginningOfTextId;
    }

    /// <summary>Every token, added ones too, by its id.</summary>
    public IReadOnlyDictionary<int, Token> Tokens => _tokens;

    /// <summary>The token that encoding puts in front of a text; null for none.</summary>
    public int? BeginningOfTextId { get; }

    /// <summary>Whether encoding puts a space before a document's text, which decoding takes away again.</summary>
    public bool AddsLeadingSpace => _encoder.AddsLeadingSpace;

    /// <summary>
    /// The UTF-8 text that a token adds to a document, part of a character possibly; none if it is special.
    /// </summary>
    public ReadOnlySpan<byte> TextOf(int id) =>
        _tokens.TryGetValue(id, out Token? token) && !token.IsSpecial ? token.Bytes : [];

    /// <summary>The ids of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="begins">Whether the beginning-of-text token stands in front where the folder's files say so.</param>
    /// <param name="checkAlive">Called often; what it throws ends encoding.</param>
    public List<int> Encode(ReadOnlySpan<char> text, bool begins, Action? checkAlive = null)
    {
        List<int> ids = [];
        if (begins && BeginningOfTextId is int beginning)
            ids.Add(beginning);
        AppendText(text, ids, checkAlive);
        return ids;
    }

    /// <summary>The text of token ids without special tokens. Ids that no token has are left out.</summary>
    /// <remarks>Bytes that are no UTF-8, as the end of a cut sequence may be, become U+FFFD.</remarks>
    public override string Decode(IEnumerable<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var bytes = new ArrayBufferWriter<byte>();
        foreach (int id in ids)
            bytes.Write(TextOf(id));
        ReadOnlySpan<byte> text = bytes.WrittenSpan;
        if (AddsLeadingSpace && text.StartsWith((byte)' '))
            text = text[1..];
        return Encoding.UTF8.GetString(text);
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
        List<int> ids = Encode(textSpan, begins: true);
        int charsConsumed = textSpan.Length;
        if (ids.Count > settings.MaxTokenCount)
        {
            ids.RemoveRange(settings.MaxTokenCount, ids.Count - settings.MaxTokenCount);
            charsConsumed = Locate(textSpan, ids)[^1].Offset.End.Value;
        }
        return new() { Tokens = ids, CharsConsumed = charsConsumed };
    }

    /// <inheritdoc/>
    protected override EncodeResults<EncodedToken> EncodeToTokens(
        string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings) =>
        new() { Tokens = Locate(textSpan, Encode(textSpan, begins: true)), CharsConsumed = textSpan.Length };

    /// <inheritdoc/>
    protected override int CountTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(settings.MaxTokenCount, 1);
        return Math.Min(Encode(textSpan, begins: true).Count, settings.MaxTokenCount);
    }

    private void AppendText(ReadOnlySpan<char> text, List<int> ids, Action? checkAlive)
    {
        var startsDocument = true;
        while (_addedTokens.TryFind(text, out int index, out AddedToken token, checkAlive))
        {
            if (index > 0)
                _encoder.Encode(text[..index], startsDocument, ids, checkAlive);
            ids.Add(token.Id);
            text = text[(index + token.Content.Length)..];
            startsDocument = false;
        }
        if (!text.IsEmpty)
            _encoder.Encode(text, startsDocument, ids, checkAlive);
    }

    /// <summary>Says which characters each token stands for: those that any of its bytes belongs to.</summary>
    private List<EncodedToken> Locate(ReadOnlySpan<char> text, List<int> ids)
    {
        List<(int Start, int End)> characterOfByte = [];
        if (_encoder.AddsLeadingSpace && !(_addedTokens.TryFind(text, out int index, out _) && index == 0))
            characterOfByte.Add((0, 0));
        for (var start = 0; start < text.Length;)
        {
            Rune.DecodeFromUtf16(text[start..], out Rune rune, out int length);
            int byteCount = _encoder.IsSpace(text[start]) ? 1 : rune.Utf8SequenceLength;
            for (var i = 0; i < byteCount; i++)
                characterOfByte.Add((start, start + length));
            start += length;
        }

        var tokens = new List<EncodedToken>(ids.Count);
        var position = 0;
        for (var i = 0; i < ids.Count; i++)
        {
            Token token = _tokens[ids[i]];
            if (i == 0 && ids[i] == BeginningOfTextId)
            {
                tokens.Add(new(ids[i], token.Name, new(0, 0)));
                continue;
            }
            int end = position + token.Bytes.Length;
            tokens.Add(new(ids[i], token.Name, new(characterOfByte[position].Start, characterOfByte[end - 1].End)));
            position = end;
        }
        return tokens;
    }
}
