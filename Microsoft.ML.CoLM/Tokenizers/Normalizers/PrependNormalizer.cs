namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Puts a text in front of every text that is not empty.</summary>
internal sealed class PrependNormalizer(string prefix) : ITextNormalizer
{
    /// <inheritdoc/>
    public string Normalize(string text, Action? checkAlive = null) => text.Length == 0 ? text : prefix + text;
}
