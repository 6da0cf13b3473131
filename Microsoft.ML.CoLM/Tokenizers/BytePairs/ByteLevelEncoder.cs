using System.Buffers;
using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Byte-level byte-pair encoding, as GPT-2 and Llama 3 have it: a word's UTF-8 bytes are its first tokens, and merges join
/// them.
/// </summary>
/// <remarks>
/// Microsoft.ML.Tokenizers 2.0.1 has a <c>BpeTokenizer</c> for this, but it does not know <c>ignore_merges</c>, loses
/// the text between a pattern's matches, and needs time quadratic in the length of a word: 5 seconds for 200,000
/// letters without a space, which take a twentieth of a second here.
/// </remarks>
internal sealed class ByteLevelEncoder : IWordEncoder
{
    private const int CharactersOnStack = 256;

    private readonly int[] _idOfByte;
    private readonly BytePairMerges _merges;
    private readonly Dictionary<int, int> _lengthOfId;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>>? _wholeWords;
    private readonly int _longestWholeWord;
    private readonly WordCache _cache = new();

    /// <param name="idOfByte">The token of each of the 256 bytes; those that UTF-8 never has may be any.</param>
    /// <param name="merges">Which tokens merge.</param>
    /// <param name="vocabulary">The tokens, spelled in <see cref="ByteAlphabet"/>, and their ids.</param>
    /// <param name="takesWholeWords">
    /// Whether words of the vocabulary are taken whole without a look at the merges.
    /// </param>
    public ByteLevelEncoder(
        int[] idOfByte, BytePairMerges merges, Dictionary<string, int> vocabulary, bool takesWholeWords)
    {
        _idOfByte = idOfByte;
        _merges = merges;
        _lengthOfId = vocabulary.ToDictionary(token => token.Value, token => token.Key.Length);
        _wholeWords = takesWholeWords ? vocabulary.GetAlternateLookup<ReadOnlySpan<char>>() : null;
        _longestWholeWord = takesWholeWords ? vocabulary.Keys.Max(word => word.Length) : 0;
    }

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<char> word, List<int> ids, Action? checkAlive)
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

    /// <inheritdoc/>
    public List<(int Start, int End)> Locate(ReadOnlySpan<char> word, ReadOnlySpan<int> ids)
    {
        List<(int Start, int End)> characterOfByte = ByteLocations.Of(word);
        List<(int Start, int End)> places = [];
        var position = 0;
        foreach (int id in ids)
        {
            int end = position + _lengthOfId[id];
            places.Add((characterOfByte[position].Start, characterOfByte[end - 1].End));
            position = end;
        }
        return places;
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
