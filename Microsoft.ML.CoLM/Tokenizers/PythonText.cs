using System.Globalization;
using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Text as methods of Python's str change it, which lm-evaluation-harness is written with: they differ from .NET's in few
/// characters.
/// </summary>
internal static class PythonText
{
    // Latin letters whose capital .NET does not know, most of them since it is not one letter. Greek and Armenian ones of that
    // kind stay as they are.
    private static readonly Dictionary<string, string> Titles = new(StringComparer.Ordinal)
    {
        ["ß"] = "Ss",
        ["ı"] = "I",
        ["ſ"] = "S",
        ["ŉ"] = "ʼN",
        ["ǰ"] = "J̌",
        ["ẖ"] = "H̱",
        ["ẗ"] = "T̈",
        ["ẘ"] = "W̊",
        ["ẙ"] = "Y̊",
        ["ẚ"] = "Aʾ",
        ["ﬀ"] = "Ff",
        ["ﬁ"] = "Fi",
        ["ﬂ"] = "Fl",
        ["ﬃ"] = "Ffi",
        ["ﬄ"] = "Ffl",
        ["ﬅ"] = "St",
        ["ﬆ"] = "St",
    };

    /// <summary>White space: .NET's, and the four separators of ASCII.</summary>
    public static bool IsSpace(char character) => char.IsWhiteSpace(character) || character is >= '\x1C' and <= '\x1F';

    /// <summary>The text without white space around it.</summary>
    public static string Strip(string text) => StripStart(StripEnd(text));

    /// <summary>The text without white space in front.</summary>
    public static string StripStart(string text)
    {
        var start = 0;
        while (start < text.Length && IsSpace(text[start]))
            start++;
        return text[start..];
    }

    /// <summary>The text without white space behind it.</summary>
    public static string StripEnd(string text)
    {
        var length = text.Length;
        while (length > 0 && IsSpace(text[length - 1]))
            length--;
        return text[..length];
    }

    /// <summary>The first letter upper case, and all others lower case.</summary>
    public static string Capitalize(string text)
    {
        if (text.Length == 0)
            return "";
        _ = Rune.DecodeFromUtf16(text, out var first, out var length);
        return Title(first.ToString()) + Lower(text, length);
    }

    private static string Title(string letter) =>
        Titles.TryGetValue(letter, out var title) ? title
        // Georgian has capitals for whole words only.
        : letter[0] is >= 'ა' and <= 'ჿ' ? letter
        : CultureInfo.InvariantCulture.TextInfo.ToTitleCase(letter.ToUpperInvariant());

    private static string Lower(string text, int start)
    {
        var lower = new StringBuilder(text[start..].ToLowerInvariant());
        for (var i = start; i < text.Length; i++)
        {
            if (text[i] == 'Σ' && IsLastLetter(text, i))
                lower[i - start] = 'ς';
        }
        return lower.Replace("İ", "i̇").ToString();
    }

    // Whether a word of several letters ends here.
    private static bool IsLastLetter(string text, int index) => IsLetterNext(text, index, -1) && !IsLetterNext(text, index, 1);

    // Whether a letter is next in a direction, whatever marks are between.
    private static bool IsLetterNext(string text, int index, int step)
    {
        do
            index += step;
        while (index >= 0 && index < text.Length && IsMark(text[index]));
        return index >= 0 && index < text.Length && char.GetUnicodeCategory(text[index])
            is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter;
    }

    private static bool IsMark(char character) => character is '\'' or '.' or ':' or '·' or '’' ||
        char.GetUnicodeCategory(character) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark
            or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;
}
