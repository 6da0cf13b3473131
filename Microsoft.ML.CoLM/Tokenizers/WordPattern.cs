using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Cuts text into words by regular expressions, each cutting what the one before left whole: every match is a word, and
/// so is what lies between matches.
/// </summary>
internal sealed class WordPattern
{
    /// <summary>The expression of GPT-2, which byte-level tokenizers use unless they bring their own.</summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    // Patterns come from files, and one that backtracks without end must not hang the program. A sound one needs
    // microseconds a match, and milliseconds for a match of a million characters: a hundredth of these.
    private static readonly TimeSpan LongestMatch = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestCharacter = TimeSpan.FromMicroseconds(2);

    private readonly Regex[] _patterns;

    /// <summary>Prepares the cutting; without an expression, a text is one word.</summary>
    /// <param name="patterns">Expressions that <see cref="Compile"/> made.</param>
    public WordPattern(params Regex[] patterns) => _patterns = patterns;

    /// <summary>Prepares an expression.</summary>
    /// <exception cref="ArgumentException">.NET cannot read it.</exception>
    public static Regex Compile(string pattern) =>
        new(pattern, RegexOptions.Compiled | RegexOptions.CultureInvariant, LongestMatch);

    /// <summary>The words of a text, which is not empty, in order; together they are the text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="checkAlive">Called for every word; what it throws ends cutting.</param>
    /// <exception cref="InvalidDataException">An expression takes too long on this text.</exception>
    public IReadOnlyList<(int Start, int End)> Split(ReadOnlySpan<char> text, Action? checkAlive = null)
    {
        if (_patterns.Length == 0)
            return [(0, text.Length)];
        if (text.IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
            return SplitCharacters(text, checkAlive);

        (string shape, int[] starts) = CodePoints(text);
        List<(int Start, int End)> words = SplitCharacters(shape, checkAlive);
        for (var i = 0; i < words.Count; i++)
            words[i] = (starts[words[i].Start], starts[words[i].End]);
        return words;
    }

    private List<(int Start, int End)> SplitCharacters(ReadOnlySpan<char> text, Action? checkAlive)
    {
        List<(int Start, int End)> words = [(0, text.Length)];
        foreach (Regex pattern in _patterns)
        {
            List<(int Start, int End)> finer = [];
            TimeSpan limit = pattern.MatchTimeout + text.Length * LongestCharacter;
            long deadline = Environment.TickCount64 + (long)limit.TotalMilliseconds;
            try
            {
                foreach ((int start, int end) in words)
                    Split(pattern, text[start..end], start, finer, deadline, checkAlive);
            }
            catch (RegexMatchTimeoutException e)
            {
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                    $"The tokenizer's pattern {pattern} needs more than {pattern.MatchTimeout.TotalSeconds} seconds " +
                    $"to find a word, or {limit.TotalSeconds:F1} to find all words, in a text of {text.Length} characters."), e);
            }
            words = finer;
        }
        return words;
    }

    private static void Split(
        Regex pattern, ReadOnlySpan<char> text, int offset, List<(int Start, int End)> words, long deadline,
        Action? checkAlive)
    {
        var done = 0;
        foreach (ValueMatch match in pattern.EnumerateMatches(text))
        {
            checkAlive?.Invoke();
            // Each match has its time, and so have all of them together.
            if (Environment.TickCount64 > deadline)
                throw new RegexMatchTimeoutException();
            if (match.Length == 0)
                continue;
            if (match.Index > done)
                words.Add((offset + done, offset + match.Index));
            done = match.Index + match.Length;
            words.Add((offset + match.Index, offset + done));
        }
        if (done < text.Length)
            words.Add((offset + done, offset + text.Length));
    }

    /// <summary>
    /// A text with one character for each code point, and where each began. .NET's expressions see the halves of a
    /// character outside the basic plane as two characters of no category; the tokenizers' expressions mean the whole
    /// one. So a basic character of the same category takes its place.
    /// </summary>
    private static (string Shape, int[] Starts) CodePoints(ReadOnlySpan<char> text)
    {
        var shape = new StringBuilder(text.Length);
        List<int> starts = [];
        for (var start = 0; start < text.Length;)
        {
            Rune.DecodeFromUtf16(text[start..], out Rune rune, out int length);
            shape.Append(rune.IsBmp ? (char)rune.Value : StandIns.Of(Rune.GetUnicodeCategory(rune)));
            starts.Add(start);
            start += length;
        }
        starts.Add(text.Length);
        return (shape.ToString(), [.. starts]);
    }

    /// <summary>The last basic character of each category; no pattern is likely to name one of these.</summary>
    private static class StandIns
    {
        private static readonly char[] Characters = Create();

        public static char Of(UnicodeCategory category) => Characters[(int)category];

        private static char[] Create()
        {
            var characters = new char[Enum.GetValues<UnicodeCategory>().Length];
            for (var character = 0; character <= char.MaxValue; character++)
                characters[(int)CharUnicodeInfo.GetUnicodeCategory((char)character)] = (char)character;
            return characters;
        }
    }
}
