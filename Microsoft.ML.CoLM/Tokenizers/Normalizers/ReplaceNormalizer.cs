using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Puts a text in the place of each match of a pattern.</summary>
internal sealed class ReplaceNormalizer(TextPattern pattern, string content) : ITextNormalizer
{
    /// <inheritdoc/>
    public string Normalize(string text, Action? checkAlive = null)
    {
        if (text.Length == 0)
            return text;
        List<PatternMatch> parts = [];
        pattern.Cut(text, pattern.StartTime(text.Length), parts, checkAlive);
        long length = parts.Sum(part => part.IsMatch ? (long)content.Length : part.End - part.Start);
        TextGrowth.Check(text.Length, length);
        var changed = new StringBuilder((int)length);
        foreach (PatternMatch part in parts)
        {
            if (part.IsMatch)
                changed.Append(content);
            else
                changed.Append(text, part.Start, part.End - part.Start);
        }
        return changed.ToString();
    }
}
