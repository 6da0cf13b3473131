namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Changes a text in several steps.</summary>
internal sealed class NormalizerSequence(IReadOnlyList<ITextNormalizer> steps) : ITextNormalizer
{
    /// <inheritdoc/>
    public string Normalize(string text, Action? checkAlive = null)
    {
        foreach (ITextNormalizer step in steps)
        {
            checkAlive?.Invoke();
            text = step.Normalize(text, checkAlive);
        }
        return text;
    }
}
