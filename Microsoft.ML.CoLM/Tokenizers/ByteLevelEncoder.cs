using System.Buffers;
using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Byte-level byte-pair encoding, as GPT-2 and Llama 3 have it: text is cut into words, a word's UTF-8 bytes are its
/// first tokens, and merges join them.
/// </summary>
/// <remarks>
/// Microsoft.ML.Tokenizers 2.0.1 has a <c>BpeTokenizer</c> for this, but it does not know <c>ignore_merges</c>, loses
/// the text between a pattern's matches, and needs time quadratic in the length of a word: 5 seconds for 200,000
/// letters without a space, which take a twentieth of a second here.
/// </remarks>
internal sealed class ByteLevelEncoder : ITextEncoder
{
    private const int CharactersOnStack = 256;

    private readonly PreTokenization _words;
    private readonly int[] _idOfByte;
    private readonly BytePairMerges _merges;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>>? _wholeWords;
    private readonly int _longestWholeWord;
    private readonly WordCache _cache = new();

    /// <param name="words">Cuts text into words.</param>
    /// <param name="idOfByte">The token of each of the 256 bytes.</param>
    /// <param name="merges">Which tokens merge.</param>
    /// <param name="wholeWords">
    /// A vocabulary, spelled in <see cref="ByteAlphabet"/>, whose words are taken whole without a look at the merges;
    /// null when every word is merged from its bytes.
    /// </param>
    public ByteLevelEncoder(
        PreTokenization words, int[] idOfByte, BytePairMerges merges, Dictionary<string, int>? wholeWords)
    {
        _words = words;
        _idOfByte = idOfByte;
        _merges = merges;
        _wholeWords = wholeWords?.GetAlternateLookup<ReadOnlySpan<char>>();
        _longestWholeWord = wholeWords is null ? 0 : wholeWords.Keys.Max(word => word.Length);
    }

    /// <inheritdoc/>
    public bool AddsLeadingSpace => false;

    /// <inheritdoc/>
    public bool IsSpace(char character) => character == ' ';

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<char> text, bool startsDocument, List<int> ids, Action? checkAlive = null)
    {
        foreach (Word word in _words.Cut(new(text.ToArray(), startsDocument), checkAlive))
            EncodeWord(word.Text.Span, ids, checkAlive);
    }

    private void EncodeWord(ReadOnlySpan<char> word, List<int> ids, Action? checkAlive)
    {
        checkAlive?.Invoke();
        if (_cache.TryAppend(word, ids))
            return;
        byte[] rentedBytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(word.Length));
        ReadOnlySpan<byte> bytes = rentedBytes.AsSpan(0, Encoding.UTF8.GetBytes(word, rentedBytes));
        int[] rentedTokens = ArrayPool<int>.Shared.Rent(bytes.Length);
        Span<int> tokens = rentedTokens.AsSpan(0, bytes.Length);

        if (TryTakeWhole(bytes, out int whole))
        {
            tokens[0] = whole;
            tokens = tokens[..1];
        }
        else
        {
            for (var i = 0; i < bytes.Length; i++)
                tokens[i] = _idOfByte[bytes[i]];
            tokens = tokens[.._merges.Apply(tokens, checkAlive)];
        }
        ids.AddRange(tokens);
        _cache.Add(word, tokens);

        ArrayPool<byte>.Shared.Return(rentedBytes);
        ArrayPool<int>.Shared.Return(rentedTokens);
    }

    private bool TryTakeWhole(ReadOnlySpan<byte> bytes, out int id)
    {
        id = 0;
        if (_wholeWords is not { } wholeWords || bytes.Length > _longestWholeWord)
            return false;
        Span<char> spelled = bytes.Length <= CharactersOnStack
            ? stackalloc char[CharactersOnStack]
            : new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++)
            spelled[i] = ByteAlphabet.Symbol(bytes[i]);
        return wholeWords.TryGetValue(spelled[..bytes.Length], out id);
    }
}
