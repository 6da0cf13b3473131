using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Brings a text into a normal form of Unicode.</summary>
internal sealed class UnicodeFormNormalizer(NormalizationForm form) : ITextNormalizer
{
    // .NET takes seconds for a text of many megabytes, so long ones are changed in pieces. A line feed has no part in any
    // composition, so a text can be cut in front of one.
    private const int Piece = 1 << 16;

    /// <summary>Whether .NET knows the forms; without the data it leaves texts as they are.</summary>
    public static bool IsAvailable { get; } = "e\u0301".Normalize(NormalizationForm.FormC) == "\u00E9";

    /// <inheritdoc/>
    public string Normalize(string text, Action? checkAlive = null)
    {
        text = WellFormedText.Of(text);
        if (text.Length <= Piece)
            return text.Normalize(form);
        var changed = new StringBuilder(text.Length);
        for (var start = 0; start < text.Length;)
        {
            checkAlive?.Invoke();
            int end = start + Piece < text.Length ? text.IndexOf('\n', start + Piece) : -1;
            if (end < 0)
                end = text.Length;
            changed.Append(text[start..end].Normalize(form));
            start = end;
        }
        return changed.ToString();
    }
}
