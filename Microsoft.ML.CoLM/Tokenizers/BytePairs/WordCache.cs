using System.Collections.Concurrent;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Remembers the token ids of words: most words of a text came before. Safe for several threads.</summary>
internal sealed class WordCache
{
    private const int LongestWord = 32;
    private const int MostWords = 32_768;

    private readonly ConcurrentDictionary<string, int[]> _words = new();
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private int _count;

    public WordCache() => _lookup = _words.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Appends a word's ids if they are known.</summary>
    public bool TryAppend(ReadOnlySpan<char> word, List<int> ids)
    {
        if (word.Length > LongestWord || !_lookup.TryGetValue(word, out int[]? known))
            return false;
        ids.AddRange(known);
        return true;
    }

    /// <summary>Remembers a word's ids, unless the word is long or the cache full: frequent words came early.</summary>
    public void Add(ReadOnlySpan<char> word, ReadOnlySpan<int> ids)
    {
        if (word.Length <= LongestWord && Volatile.Read(ref _count) < MostWords && _lookup.TryAdd(word, ids.ToArray()))
            Interlocked.Increment(ref _count);
    }
}
