using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Byte-pair encoding of characters, as SentencePiece and Llama 2 have it: a word's characters are its first tokens, merges
/// join them, and a character without a token becomes its bytes or the unknown token.
/// </summary>
/// <remarks>
/// Microsoft.ML.Tokenizers 2.0.1 has a <c>LlamaTokenizer</c> for this, but of equal pairs it merges the rightmost
/// first, where SentencePiece takes the leftmost: it cuts <c>moook</c> into <c>m o oo k</c> instead of <c>m oo o k</c>.
/// It also merges over a whole document at once, which takes thirty times as long.
/// </remarks>
internal sealed class CharacterEncoder : IWordEncoder
{
    /// <summary>Stands for a space in such vocabularies.</summary>
    public const char Space = '▁';

    // Inside a merge, a character that has no token of its own.
    private const int None = -1;

    private readonly Dictionary<int, int> _idOfCharacter = [];
    private readonly Dictionary<int, string> _textOfId = [];
    private readonly HashSet<int> _byteIds = [];
    private readonly CharacterVocabulary _vocabulary;
    private readonly BytePairMerges _merges;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>>? _wholeWords;
    private readonly int _longestWholeWord;
    private readonly HashSet<char>? _joinedToSpace;
    private readonly WordCache _cache = new();

    /// <param name="vocabulary">The tokens that texts are made of.</param>
    /// <param name="merges">Which tokens merge; a character without a token is <see cref="WithoutToken"/>.</param>
    /// <param name="mergesBytes">Whether tokens of bytes, or the unknown token, merge with others.</param>
    public CharacterEncoder(CharacterVocabulary vocabulary, BytePairMerges merges, bool mergesBytes = false)
    {
        _vocabulary = vocabulary;
        _merges = merges;
        HashSet<char> joinedToSpace = [];
        foreach ((string text, int id) in vocabulary.Tokens)
        {
            _textOfId[id] = text;
            if (TryReadCharacter(text, out int character))
                _idOfCharacter.Add(character, id);
            for (var i = 1; i < text.Length; i++)
            {
                if (text[i] == Space)
                    joinedToSpace.Add(text[i - 1]);
            }
        }
        if (vocabulary.IdOfByte is { } bytes)
            _byteIds.UnionWith(bytes);
        // Without a token of its own, a space may be part of an unknown token.
        if (_idOfCharacter.ContainsKey(Space) && !mergesBytes)
            _joinedToSpace = joinedToSpace;
        if (vocabulary.TakesWholeWords)
        {
            _wholeWords = vocabulary.Tokens.GetAlternateLookup<ReadOnlySpan<char>>();
            _longestWholeWord = vocabulary.Tokens.Keys.Select(token => token.Length).DefaultIfEmpty().Max();
        }
    }

    /// <summary>The token, below 0, of a character that has none, in merges of a vocabulary that merges such.</summary>
    public static int WithoutToken(int character) => ~character;

    /// <summary>Whether a text is one character, and which.</summary>
    public static bool TryReadCharacter(ReadOnlySpan<char> text, out int character)
    {
        OperationStatus status = Rune.DecodeFromUtf16(text, out Rune rune, out int length);
        character = rune.Value;
        return status == OperationStatus.Done && length == text.Length;
    }

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<char> word, List<int> ids, Action? checkAlive)
    {
        if (_wholeWords is { } wholeWords && word.Length <= _longestWholeWord && wholeWords.TryGetValue(word, out int whole))
        {
            ids.Add(whole);
            return;
        }
        // No token reaches over a character and a space that are not neighbours in any token, so what lies on either side
        // can be encoded by itself.
        var start = 0;
        for (var i = 1; i < word.Length && _joinedToSpace is not null; i++)
        {
            if (word[i] != Space || _joinedToSpace.Contains(word[i - 1]))
                continue;
            EncodePart(word[start..i], ids, checkAlive);
            start = i;
        }
        EncodePart(word[start..], ids, checkAlive);
    }

    /// <inheritdoc/>
    public List<(int Start, int End)> Locate(ReadOnlySpan<char> word, ReadOnlySpan<int> ids)
    {
        List<(int Start, int End)> characterOfByte = ByteLocations.Of(word);
        List<(int Start, int End)> places = [];
        var position = 0;
        for (var i = 0; i < ids.Length; i++)
        {
            int start = Math.Min(position, characterOfByte.Count - 1);
            int rest = characterOfByte.Count - start;
            // An unknown token covers what the tokens behind it leave, which is a character at least.
            int length = _byteIds.Contains(ids[i]) ? 1
                : ids[i] == _vocabulary.UnknownId ? UnknownLength(word[characterOfByte[start].Start..])
                : Encoding.UTF8.GetByteCount(_textOfId[ids[i]]);
            int end = start + Math.Clamp(length, 1, rest);
            places.Add((characterOfByte[start].Start, characterOfByte[end - 1].End));
            position = end;
        }
        return places;
    }

    // Bytes of the characters that an unknown token at a text's beginning stands for.
    private int UnknownLength(ReadOnlySpan<char> text)
    {
        var length = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (length > 0 && (!_vocabulary.FusesUnknown || _idOfCharacter.ContainsKey(rune.Value)))
                break;
            length += rune.Utf8SequenceLength;
        }
        return length;
    }

    private void EncodePart(ReadOnlySpan<char> word, List<int> ids, Action? checkAlive)
    {
        checkAlive?.Invoke();
        if (_cache.TryAppend(word, ids))
            return;
        int before = ids.Count;
        if (_vocabulary.MergesWithoutToken)
            MergeFirst(word, ids, checkAlive);
        else
            SpellFirst(word, ids, checkAlive);
        _cache.Add(word, CollectionsMarshal.AsSpan(ids)[before..]);
    }

    /// <summary>SentencePiece's way: what has no token after merging becomes bytes.</summary>
    private void MergeFirst(ReadOnlySpan<char> word, List<int> ids, Action? checkAlive)
    {
        int[] rented = ArrayPool<int>.Shared.Rent(word.Length);
        var count = 0;
        foreach (Rune rune in word.EnumerateRunes())
            rented[count++] = _idOfCharacter.GetValueOrDefault(rune.Value, WithoutToken(rune.Value));
        Span<int> tokens = rented.AsSpan(0, count);
        foreach (int token in tokens[.._merges.Apply(tokens, checkAlive)])
        {
            if (token >= 0)
                ids.Add(token);
            else
                AppendBytes(new(WithoutToken(token)), ids);
        }
        ArrayPool<int>.Shared.Return(rented);
    }

    /// <summary>Hugging Face's way: what has no token becomes bytes or the unknown token, and then tokens are merged.</summary>
    private void SpellFirst(ReadOnlySpan<char> word, List<int> ids, Action? checkAlive)
    {
        int before = ids.Count;
        int unknown = None;
        foreach (Rune rune in word.EnumerateRunes())
        {
            if (_idOfCharacter.TryGetValue(rune.Value, out int id))
            {
                AppendUnknown(ref unknown, ids);
                ids.Add(id);
            }
            // An unknown token that waits for others to join it comes behind bytes: so have Hugging Face's tokenizers it.
            else if (!AppendBytes(rune, ids))
            {
                if (!_vocabulary.FusesUnknown)
                    AppendUnknown(ref unknown, ids);
                unknown = _vocabulary.UnknownId ?? None;
            }
        }
        AppendUnknown(ref unknown, ids);
        int kept = _merges.Apply(CollectionsMarshal.AsSpan(ids)[before..], checkAlive);
        ids.RemoveRange(before + kept, ids.Count - before - kept);
    }

    private static void AppendUnknown(ref int unknown, List<int> ids)
    {
        if (unknown != None)
            ids.Add(unknown);
        unknown = None;
    }

    private bool AppendBytes(Rune rune, List<int> ids)
    {
        if (_vocabulary.IdOfByte is not { } idOfByte)
            return false;
        Span<byte> bytes = stackalloc byte[4];
        bytes = bytes[..rune.EncodeToUtf8(bytes)];
        foreach (byte value in bytes)
        {
            if (idOfByte[value] < 0)
                return false;
        }
        foreach (byte value in bytes)
            ids.Add(idOfByte[value]);
        return true;
    }
}
