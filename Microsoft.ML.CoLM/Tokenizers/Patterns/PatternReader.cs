using System.Globalization;
using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Reads an expression, character by character.</summary>
internal sealed class PatternReader(string pattern)
{
    /// <summary>The character after the last.</summary>
    public const int End = -1;

    private readonly int[] _characters = [.. pattern.EnumerateRunes().Select(rune => rune.Value)];

    /// <summary>The number of characters that were read.</summary>
    public int Position { get; set; }

    /// <summary>The next character, or <see cref="End"/>.</summary>
    public int Next => Peek(0);

    /// <summary>A character ahead, or <see cref="End"/>.</summary>
    public int Peek(int offset) => Position + offset < _characters.Length ? _characters[Position + offset] : End;

    /// <summary>Reads a character; the end is refused.</summary>
    public int Read() => Next == End ? throw Refuse("it ends too early") : _characters[Position++];

    /// <summary>Reads a character if it comes next.</summary>
    public bool TryRead(char character)
    {
        if (Next != character)
            return false;
        Position++;
        return true;
    }

    /// <summary>Reads a text if it comes next.</summary>
    public bool TryRead(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (Peek(i) != text[i])
                return false;
        }
        Position += text.Length;
        return true;
    }

    /// <summary>Reads the text before a character, and that character; null where it does not come.</summary>
    public string? ReadUntil(char last)
    {
        var text = new StringBuilder();
        for (int position = Position; position < _characters.Length; position++)
        {
            if (_characters[position] == last)
            {
                Position = position + 1;
                return text.ToString();
            }
            text.Append(new Rune(_characters[position]).ToString());
        }
        return null;
    }

    /// <summary>Reads as many digits as there are, up to a number.</summary>
    /// <returns>Their value, or null when there is none.</returns>
    public int? ReadNumber(int radix, int mostDigits)
    {
        const int Largest = 0x10FFFF;
        long value = 0;
        var digits = 0;
        for (; digits < mostDigits && Digit(Next) < radix; digits++, Position++)
        {
            value = value * radix + Digit(Next);
            if (value > Largest)
                throw Refuse("the number is too large");
        }
        return digits == 0 ? null : (int)value;
    }

    /// <summary>The error that refuses what was read last.</summary>
    public FormatException Refuse(string reason) =>
        new(string.Create(CultureInfo.InvariantCulture, $"at character {Position}, {reason}"));

    private static int Digit(int character) => character switch
    {
        >= '0' and <= '9' => character - '0',
        >= 'a' and <= 'f' => character - 'a' + 10,
        >= 'A' and <= 'F' => character - 'A' + 10,
        _ => int.MaxValue,
    };
}
