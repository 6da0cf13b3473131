namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Spells a text's bytes in <see cref="ByteAlphabet"/>.</summary>
internal sealed class ByteNormalizer : ITextNormalizer
{
    /// <inheritdoc/>
    public string Normalize(string text, Action? checkAlive = null)
    {
        string spelled = ByteAlphabet.Spell(text);
        TextGrowth.Check(text.Length, spelled.Length);
        return spelled;
    }
}
