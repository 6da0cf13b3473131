using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Texts without halves of surrogate pairs.</summary>
internal static class WellFormedText
{
    /// <summary>The text with U+FFFD in the place of each half of a surrogate pair.</summary>
    public static string Of(string text)
    {
        if (text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
            return text;
        var changed = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
            changed.Append(rune.ToString());
        return changed.ToString();
    }
}
