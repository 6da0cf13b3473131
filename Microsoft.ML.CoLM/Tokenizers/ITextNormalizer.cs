namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Changes a text before it is cut into words. Safe for several threads.</summary>
internal interface ITextNormalizer
{
    /// <summary>The text that is encoded in a text's place.</summary>
    string Normalize(string text);
}
