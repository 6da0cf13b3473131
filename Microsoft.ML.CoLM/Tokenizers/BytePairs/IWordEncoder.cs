namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Turns words into token ids. Safe for several threads.</summary>
internal interface IWordEncoder
{
    /// <summary>Appends the token ids of a word, which is not empty.</summary>
    /// <param name="word">The word.</param>
    /// <param name="ids">Receives the ids.</param>
    /// <param name="checkAlive">Called for each word and often within a long one; what it throws ends encoding.</param>
    void Encode(ReadOnlySpan<char> word, List<int> ids, Action? checkAlive);

    /// <summary>How many characters of a word its tokens stand for.</summary>
    /// <param name="word">The word.</param>
    /// <param name="ids">Its token ids, as <see cref="Encode"/> gave them.</param>
    /// <returns>
    /// For each token the first character that a byte of it belongs to, and the one behind the last; characters within a
    /// surrogate pair are none.
    /// </returns>
    List<(int Start, int End)> Locate(ReadOnlySpan<char> word, ReadOnlySpan<int> ids);
}
