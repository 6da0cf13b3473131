namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Changes a text before it is cut into words. Safe for several threads.</summary>
internal interface ITextNormalizer
{
    /// <summary>The text that is encoded in a text's place.</summary>
    /// <param name="text">The text; a half of a surrogate pair counts as U+FFFD.</param>
    /// <param name="checkAlive">Called often; what it throws ends the change.</param>
    /// <exception cref="InvalidDataException">An expression takes too long on this text, or it grows beyond measure.</exception>
    string Normalize(string text, Action? checkAlive = null);
}
