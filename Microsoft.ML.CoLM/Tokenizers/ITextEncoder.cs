namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Turns ordinary text, in which no added token is left, into token ids. Safe for several threads.</summary>
internal interface ITextEncoder
{
    /// <summary>Whether a space is put before a document's text, which decoding must take away again.</summary>
    bool AddsLeadingSpace { get; }

    /// <summary>Whether a character stands for a space, so that the tokens hold a space in its place.</summary>
    bool IsSpace(char character);

    /// <summary>Appends the token ids of a text, which is not empty.</summary>
    /// <param name="text">The text.</param>
    /// <param name="startsDocument">Whether nothing stands before it in its document.</param>
    /// <param name="ids">Receives the ids.</param>
    /// <param name="checkAlive">Called before every word and often within a long one; what it throws ends encoding.</param>
    void Encode(ReadOnlySpan<char> text, bool startsDocument, List<int> ids, Action? checkAlive = null);
}
