using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Brings a text into a normal form of Unicode.</summary>
internal sealed class UnicodeFormNormalizer(NormalizationForm form) : ITextNormalizer
{
    // Long texts are changed in pieces, as .NET cannot be stopped. A line feed has no part in any composition, so a text can
    // be cut in front of one. So it can around U+FFFE, which .NET takes for no character.
    private const int Piece = 1 << 16;
    private const char Refused = '\uFFFE';

    /// <summary>Whether .NET knows the forms; without the data it leaves texts as they are.</summary>
    public static bool IsAvailable { get; } = "e\u0301".Normalize(NormalizationForm.FormC) == "\u00E9";

    /// <inheritdoc/>
    public string Normalize(string text, Action? checkAlive = null)
    {
        text = WellFormedText.Of(text);
        var changed = new StringBuilder(text.Length);
        for (var start = 0; start < text.Length;)
        {
            checkAlive?.Invoke();
            if (text[start] == Refused)
            {
                changed.Append(text[start++]);
                continue;
            }
            int end = EndOfPiece(text, start);
            changed.Append(text[start..end].Normalize(form));
            start = end;
        }
        return changed.ToString();
    }

    private static int EndOfPiece(string text, int start)
    {
        int end = start + Piece < text.Length ? text.IndexOf('\n', start + Piece) : -1;
        if (end < 0)
            end = text.Length;
        int refused = text.IndexOf(Refused, start, end - start);
        return refused < 0 ? end : refused;
    }
}
