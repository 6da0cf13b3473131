namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Takes whitespace from a text's ends.</summary>
internal sealed class WhitespaceTrimming(bool left, bool right) : ITextNormalizer
{
    /// <inheritdoc/>
    public string Normalize(string text, Action? checkAlive = null)
    {
        ReadOnlySpan<char> rest = text;
        if (left)
            rest = rest.TrimStart();
        if (right)
            rest = rest.TrimEnd();
        return rest.Length == text.Length ? text : rest.ToString();
    }
}
