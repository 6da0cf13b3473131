using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Reads what follows a backslash and means the same within brackets and outside.</summary>
internal static class PatternEscapes
{
    /// <summary>Reads <c>d</c>, <c>S</c>, <c>p{Han}</c> and their like if one comes next.</summary>
    /// <param name="reader">The expression.</param>
    /// <param name="word">What words are of: it differs within brackets.</param>
    public static CodePointSet? TryReadSet(PatternReader reader, CodePointSet word)
    {
        CodePointSet? set = reader.Next switch
        {
            'w' or 'W' => word,
            'd' or 'D' => UnicodeProperties.Digit,
            's' or 'S' => UnicodeProperties.Space,
            'h' or 'H' => UnicodeProperties.HexadecimalDigit,
            _ => null,
        };
        if (set is not null)
            return reader.Read() is 'W' or 'D' or 'S' or 'H' ? set.Not() : set;
        return reader.Next is 'p' or 'P' ? ReadProperty(reader, word) : null;
    }

    /// <summary>Reads a character: <c>n</c>, <c>x41</c>, <c>u0041</c>, or one that stands for itself.</summary>
    public static int ReadCharacter(PatternReader reader)
    {
        int character = reader.Read();
        switch (character)
        {
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 'r':
                return '\r';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case 'a':
                return '\a';
            case 'e':
                return '\e';
            case 'b':
                return '\b';
            case 'x' when reader.TryRead('{'):
                return ReadBraced(reader, radix: 16, mostDigits: 8);
            case 'o' when reader.TryRead('{'):
                return ReadBraced(reader, radix: 8, mostDigits: 11);
            case 'x':
                return RequireAscii(reader, reader.ReadNumber(radix: 16, mostDigits: 2) ?? 0);
            case 'u':
                int start = reader.Position;
                int? value = reader.ReadNumber(radix: 16, mostDigits: 4);
                return value is { } codePoint && reader.Position == start + 4
                    ? RequireCharacter(reader, codePoint)
                    : throw reader.Refuse("\\u needs four hexadecimal digits");
            case 'c' or 'C' or 'M':
                throw reader.Refuse($"control characters (\\{(char)character}) are not supported");
            default:
                return character;
        }
    }

    /// <summary>Reads up to three octal digits.</summary>
    public static int ReadOctal(PatternReader reader, int mostDigits) =>
        RequireAscii(reader, reader.ReadNumber(radix: 8, mostDigits) ?? 0);

    private static int ReadBraced(PatternReader reader, int radix, int mostDigits) =>
        reader.ReadNumber(radix, mostDigits) is { } codePoint && reader.TryRead('}')
            ? RequireCharacter(reader, codePoint)
            : throw reader.Refuse("a character's number in braces is expected");

    private static int RequireCharacter(PatternReader reader, int codePoint) => Rune.IsValid(codePoint)
        ? codePoint
        : throw reader.Refuse("the number is no character's");

    // Greater ones are bytes of UTF-8, of which several make a character.
    private static int RequireAscii(PatternReader reader, int value) => value < 0x80
        ? value
        : throw reader.Refuse("bytes above 7F are not supported (\\x{...} names any character)");

    private static CodePointSet ReadProperty(PatternReader reader, CodePointSet word)
    {
        bool isNegative = reader.Read() == 'P';
        // Versions of Oniguruma differ in what \pL is: \p{L}, or the letters p and L.
        if (!reader.TryRead('{'))
            throw reader.Refuse("a property needs braces");
        if (reader.TryRead('^'))
            isNegative = !isNegative;
        string? name = reader.ReadUntil('}');
        CodePointSet set = UnicodeProperties.Find(name ?? "")
            ?? throw reader.Refuse($"the property \"{name}\" is not known");
        if (set == UnicodeProperties.Named("word"))
            set = word;
        return isNegative ? set.Not() : set;
    }
}
