namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>A step of cutting text into words, as Hugging Face's tokenizers name it. Safe for several threads.</summary>
internal interface IPreTokenizer
{
    /// <summary>The words that a step makes of those before it, in order; some change their text, none is empty.</summary>
    /// <param name="words">The words so far.</param>
    /// <param name="checkAlive">Called often; what it throws ends cutting.</param>
    /// <exception cref="InvalidDataException">An expression takes too long on this text.</exception>
    List<Word> Cut(List<Word> words, Action? checkAlive);
}
