using System.Buffers;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// A regular expression with the meaning that Oniguruma gives it, which Hugging Face's tokenizers use. Safe for several
/// threads.
/// </summary>
/// <remarks>
/// .NET's expressions look alike and mean something else: other words, digits and spaces, other places for <c>^</c> and
/// <c>$</c>, two characters for one outside the basic plane. So every set of characters is found here, and .NET only sees
/// texts of classes of characters (<see cref="CodePointClasses"/>). It stops a pattern that backtracks without end.
/// </remarks>
internal sealed class TextPattern
{
    // Longer ones, which nobody uses, take more time to compile than they save.
    private const int LongestCompiled = 2048;

    private static readonly TimeSpan LongestMatch = TimeSpan.FromSeconds(10);

    private readonly string _source;
    private readonly CodePointClasses _classes;
    private readonly Regex _regex;

    private TextPattern(string source, PatternNode node, TimeSpan longestMatch)
    {
        _source = source;
        (_classes, string pattern) = PatternWriter.Translate(node);
        RegexOptions compiled = source.Length <= LongestCompiled ? RegexOptions.Compiled : RegexOptions.None;
        _regex = new(pattern, compiled | RegexOptions.CultureInvariant, longestMatch);
    }

    /// <summary>Prepares an expression.</summary>
    /// <exception cref="FormatException">It cannot be read, or means what is not supported.</exception>
    public static TextPattern Parse(string pattern) => Parse(pattern, LongestMatch);

    /// <summary>Prepares an expression.</summary>
    /// <param name="pattern">The expression.</param>
    /// <param name="longestMatch">The time that a match may take.</param>
    /// <exception cref="FormatException">It cannot be read, or means what is not supported.</exception>
    public static TextPattern Parse(string pattern, TimeSpan longestMatch) =>
        new(pattern, PatternParser.Parse(pattern), longestMatch);

    /// <summary>A pattern that is a text.</summary>
    public static TextPattern Literal(string text) => new(text, new PatternNode.Sequence(
        [.. text.EnumerateRunes().Select(rune => new PatternNode.Characters(CodePointSet.Of(rune.Value)))]), LongestMatch);

    /// <summary>A pattern that is one character of a set.</summary>
    public static TextPattern Character(CodePointSet set, string name) =>
        new(name, new PatternNode.Characters(set), LongestMatch);

    /// <summary>Starts the time for one text, or the words of one.</summary>
    /// <param name="characters">The text's length.</param>
    public MatchTime StartTime(int characters) => MatchTime.Start(characters, _regex.MatchTimeout);

    /// <summary>The matches in a text and what stands between them, in order: together they are the text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="time">The time for the text that this one is of.</param>
    /// <param name="parts">Receives them; a match may be empty.</param>
    /// <param name="checkAlive">Called for every match; what it throws ends the search.</param>
    /// <exception cref="InvalidDataException">It takes too long on this text.</exception>
    public void Cut(ReadOnlySpan<char> text, MatchTime time, List<PatternMatch> parts, Action? checkAlive)
    {
        char[] names = ArrayPool<char>.Shared.Rent(text.Length);
        List<int> starts = [];
        try
        {
            int count = _classes.Map(text, names, starts);
            int first = parts.Count;
            CutNames(names.AsSpan(0, count), time, parts, checkAlive);
            if (starts.Count == 0)
                return;
            starts.Add(text.Length);
            for (int i = first; i < parts.Count; i++)
                parts[i] = parts[i] with { Start = starts[parts[i].Start], End = starts[parts[i].End] };
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                $"The tokenizer's pattern {_source} needs more than {_regex.MatchTimeout.TotalSeconds} seconds to find a " +
                $"word, or {time.Limit.TotalSeconds:F1} to find all words, in a text of {time.Characters} characters."), e);
        }
        finally
        {
            ArrayPool<char>.Shared.Return(names);
        }
    }

    private void CutNames(ReadOnlySpan<char> names, MatchTime time, List<PatternMatch> parts, Action? checkAlive)
    {
        var done = 0;
        var isFirst = true;
        foreach (ValueMatch match in _regex.EnumerateMatches(names))
        {
            checkAlive?.Invoke();
            // Each match has its time, and so have all of them together.
            if (time.IsOver)
                throw new RegexMatchTimeoutException();
            // An empty match does not count where the last one ended.
            if (match.Length == 0 && match.Index == done && !isFirst)
                continue;
            isFirst = false;
            if (match.Index > done)
                parts.Add(new(done, match.Index, IsMatch: false));
            done = match.Index + match.Length;
            parts.Add(new(match.Index, done, IsMatch: true));
        }
        if (done < names.Length)
            parts.Add(new(done, names.Length, IsMatch: false));
    }
}
