using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// SentencePiece's byte-pair encoding: a text's characters are its first tokens, neighbours whose concatenation is a
/// piece are merged, those of the highest score first, and a character without a piece becomes its bytes.
/// </summary>
/// <remarks>
/// Microsoft.ML.Tokenizers 2.0.1 has a <c>LlamaTokenizer</c> for this, but of equal pairs it merges the rightmost
/// first, where SentencePiece takes the leftmost: it cuts <c>moook</c> into <c>m o oo k</c> instead of <c>m oo o k</c>.
/// It also merges over a whole document at once, which takes thirty times as long.
/// </remarks>
internal sealed class SentencePieceEncoder : ITextEncoder
{
    /// <summary>Stands for a space in SentencePiece's vocabularies.</summary>
    public const char Space = '▁';

    private readonly Dictionary<int, int> _idOfCharacter = [];
    private readonly int[] _idOfByte = new int[byte.MaxValue + 1];
    private readonly BytePairMerges _merges = new();
    private readonly HashSet<char> _joinedToSpace = [];
    private readonly WordCache _cache = new();

    /// <param name="pieces">The vocabulary; a piece's index is its token id, and every byte has a piece.</param>
    /// <param name="addsLeadingSpace">Whether a document's text gets a space in front.</param>
    public SentencePieceEncoder(IReadOnlyList<Piece> pieces, bool addsLeadingSpace)
    {
        AddsLeadingSpace = addsLeadingSpace;
        Dictionary<string, int> ids = [];
        for (var id = 0; id < pieces.Count; id++)
        {
            if (pieces[id].Type == PieceType.Byte)
                _idOfByte[pieces[id].ByteValue] = id;
            else if (pieces[id].Type is PieceType.Normal or PieceType.UserDefined)
                AddText(pieces[id].Text, id, ids);
        }
        AddMerges(pieces, ids.GetAlternateLookup<ReadOnlySpan<char>>());
    }

    /// <inheritdoc/>
    public bool AddsLeadingSpace { get; }

    /// <inheritdoc/>
    public bool IsSpace(char character) => character is ' ' or Space;

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<char> text, bool startsDocument, List<int> ids, Action? checkAlive = null)
    {
        char[] rented = ArrayPool<char>.Shared.Rent(text.Length + 1);
        var length = 0;
        if (AddsLeadingSpace && startsDocument)
            rented[length++] = Space;
        text.Replace(rented.AsSpan(length), ' ', Space);
        ReadOnlySpan<char> spaced = rented.AsSpan(0, length + text.Length);

        // No piece reaches over a character and a space that are not neighbours in any piece, so what lies on either
        // side can be encoded by itself.
        var start = 0;
        for (var i = 1; i < spaced.Length; i++)
        {
            if (spaced[i] != Space || _joinedToSpace.Contains(spaced[i - 1]))
                continue;
            EncodeWord(spaced[start..i], ids, checkAlive);
            start = i;
        }
        EncodeWord(spaced[start..], ids, checkAlive);
        ArrayPool<char>.Shared.Return(rented);
    }

    private void AddText(string text, int id, Dictionary<string, int> ids)
    {
        ids.Add(text, id);
        if (TryReadCharacter(text, out int character))
            _idOfCharacter.Add(character, id);
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] == Space)
                _joinedToSpace.Add(text[i - 1]);
        }
    }

    private void AddMerges(IReadOnlyList<Piece> pieces, Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids)
    {
        var rank = 0;
        foreach (IGrouping<float, string> equals in pieces
            .Where(piece => piece.Type is PieceType.Normal or PieceType.UserDefined)
            .GroupBy(piece => piece.Score, piece => piece.Text)
            .OrderByDescending(group => group.Key))
        {
            foreach (string text in equals)
            {
                for (var middle = 1; middle < text.Length; middle++)
                {
                    if (TryFind(text.AsSpan(0, middle), ids, out int left) &&
                        TryFind(text.AsSpan(middle), ids, out int right))
                    {
                        _merges.Add(left, right, rank, ids[text]);
                    }
                }
            }
            rank++;
        }

        static bool TryFind(
            ReadOnlySpan<char> part, Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids, out int token)
        {
            if (ids.TryGetValue(part, out token))
                return true;
            bool isCharacter = TryReadCharacter(part, out int character);
            token = WithoutPiece(character);
            return isCharacter;
        }
    }

    private void EncodeWord(ReadOnlySpan<char> word, List<int> ids, Action? checkAlive)
    {
        checkAlive?.Invoke();
        if (_cache.TryAppend(word, ids))
            return;
        int[] rented = ArrayPool<int>.Shared.Rent(word.Length);
        var count = 0;
        foreach (Rune rune in word.EnumerateRunes())
            rented[count++] = _idOfCharacter.GetValueOrDefault(rune.Value, WithoutPiece(rune.Value));
        Span<int> tokens = rented.AsSpan(0, count);

        int before = ids.Count;
        foreach (int token in tokens[.._merges.Apply(tokens, checkAlive)])
        {
            if (token >= 0)
                ids.Add(token);
            else
                AppendBytes(new(WithoutPiece(token)), ids);
        }
        _cache.Add(word, CollectionsMarshal.AsSpan(ids)[before..]);
        ArrayPool<int>.Shared.Return(rented);
    }

    private void AppendBytes(Rune rune, List<int> ids)
    {
        Span<byte> bytes = stackalloc byte[4];
        foreach (byte value in bytes[..rune.EncodeToUtf8(bytes)])
            ids.Add(_idOfByte[value]);
    }

    /// <summary>The token, below 0, of a character that has no piece; and the character of such a token.</summary>
    private static int WithoutPiece(int character) => ~character;

    private static bool TryReadCharacter(ReadOnlySpan<char> text, out int character)
    {
        OperationStatus status = Rune.DecodeFromUtf16(text, out Rune rune, out int length);
        character = rune.Value;
        return status == OperationStatus.Done && length == text.Length;
    }
}
