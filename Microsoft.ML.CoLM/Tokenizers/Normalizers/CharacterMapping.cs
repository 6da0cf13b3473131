using System.Globalization;
using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Puts something else in the place of characters, each by itself.</summary>
internal sealed class CharacterMapping : ITextNormalizer
{
    // Characters that are changed between two questions whether to go on.
    private const int Piece = 1 << 16;

    /// <summary>Characters in lower case, as Rust has it: each by itself, so that Σ is σ also at a word's end.</summary>
    public static readonly CharacterMapping Lowercase = new((rune, text) =>
    {
        if (rune.Value == 'İ')
            text.Append("i\u0307");
        else
            text.Append(Lower(rune).ToString());
    });

    /// <summary>Texts without combining marks.</summary>
    public static readonly CharacterMapping StripAccents = new((rune, text) =>
    {
        if (!UnicodeProperties.Marks.Contains(rune.Value))
            text.Append(rune.ToString());
    });

    /// <summary>Texts without control characters, and with plain spaces: the rules of a machine translation project.</summary>
    public static readonly CharacterMapping Nmt = new((rune, text) =>
    {
        switch (rune.Value)
        {
            case (>= 0x01 and <= 0x08) or 0x0B or (>= 0x0E and <= 0x1F) or 0x7F or 0x8F or 0x9F:
                break;
            case 0x09 or 0x0A or 0x0C or 0x0D or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD:
                text.Append(' ');
                break;
            default:
                text.Append(rune.ToString());
                break;
        }
    });

    private readonly Action<Rune, StringBuilder> _append;

    private CharacterMapping(Action<Rune, StringBuilder> append) => _append = append;

    /// <inheritdoc/>
    public string Normalize(string text, Action? checkAlive = null)
    {
        var changed = new StringBuilder(text.Length);
        var count = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (count++ % Piece == 0)
                checkAlive?.Invoke();
            _append(rune, changed);
        }
        return changed.ToString();
    }

    // .NET does not know the lower case of the newest capitals.
    private static Rune Lower(Rune rune)
    {
        Rune lower = Rune.ToLowerInvariant(rune);
        return lower == rune && Rune.GetUnicodeCategory(rune) == UnicodeCategory.UppercaseLetter &&
            UnicodeTables.Folded.TryGetValue(rune.Value, out int folded)
            ? new Rune(folded)
            : lower;
    }
}
