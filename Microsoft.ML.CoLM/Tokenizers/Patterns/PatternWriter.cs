using System.Globalization;
using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Writes an expression as one of .NET's over the names of its classes of characters.</summary>
internal sealed class PatternWriter
{
    private static readonly CodePointSet LineFeed = CodePointSet.Of('\n');

    // .NET makes one loop of (?>a+){2}, which then matches what the two do not. No class has this name.
    private const string NoOperation = @"(?!\uFFFF)";

    private readonly StringBuilder _text = new();
    private readonly CodePointClasses _classes;

    private PatternWriter(PatternNode node)
    {
        HashSet<CodePointSet> sets = [];
        Collect(node, sets);
        _classes = new(sets);
        Write(node);
    }

    /// <summary>Translates an expression.</summary>
    /// <returns>The classes, and the expression over their names.</returns>
    /// <exception cref="FormatException">It has too many different characters.</exception>
    public static (CodePointClasses Classes, string Pattern) Translate(PatternNode node)
    {
        var writer = new PatternWriter(node);
        return (writer._classes, writer._text.ToString());
    }

    private static void Collect(PatternNode node, HashSet<CodePointSet> sets)
    {
        switch (node)
        {
            case PatternNode.Characters characters:
                sets.Add(characters.Set);
                break;
            case PatternNode.Sequence sequence:
                foreach (PatternNode item in sequence.Items)
                    Collect(item, sets);
                break;
            case PatternNode.Alternatives alternatives:
                foreach (PatternNode item in alternatives.Items)
                    Collect(item, sets);
                break;
            case PatternNode.Repeat repeat:
                Collect(repeat.Body, sets);
                break;
            case PatternNode.Group group:
                Collect(group.Body, sets);
                break;
            case PatternNode.Atomic atomic:
                Collect(atomic.Body, sets);
                break;
            case PatternNode.Look look:
                Collect(look.Body, sets);
                break;
            case PatternNode.Anchor { Kind: PatternAnchor.WordBoundary or PatternAnchor.NoWordBoundary }:
                sets.Add(UnicodeProperties.Word);
                break;
            case PatternNode.Anchor:
                sets.Add(LineFeed);
                break;
        }
    }

    private void Write(PatternNode node)
    {
        switch (node)
        {
            case PatternNode.Characters characters:
                _text.Append(_classes.Write(characters.Set));
                break;
            case PatternNode.Sequence sequence:
                foreach (PatternNode item in sequence.Items)
                    Write(item);
                break;
            case PatternNode.Alternatives alternatives:
                WriteAlternatives(alternatives.Items);
                break;
            case PatternNode.Repeat repeat:
                WriteGroup("(?:", repeat.Body, IsAtomic(repeat.Body) ? NoOperation : "");
                _text.Append(CultureInfo.InvariantCulture, $"{{{repeat.Least},{repeat.Most}}}{(repeat.IsLazy ? "?" : "")}");
                break;
            case PatternNode.Group group:
                WriteGroup("(?:", group.Body);
                break;
            case PatternNode.Atomic atomic:
                WriteGroup("(?>", atomic.Body);
                break;
            case PatternNode.Look look:
                WriteGroup($"(?{(look.IsBehind ? "<" : "")}{(look.IsNegative ? "!" : "=")}", look.Body);
                break;
            case PatternNode.Anchor anchor:
                _text.Append(Anchor(anchor.Kind));
                break;
        }
    }

    private void WriteAlternatives(IReadOnlyList<PatternNode> items)
    {
        _text.Append("(?:");
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0)
                _text.Append('|');
            Write(items[i]);
        }
        _text.Append(')');
    }

    private void WriteGroup(string start, PatternNode body, string end = "")
    {
        _text.Append(start);
        Write(body);
        _text.Append(end).Append(')');
    }

    private static bool IsAtomic(PatternNode node) => node switch
    {
        PatternNode.Atomic => true,
        PatternNode.Group group => IsAtomic(group.Body),
        PatternNode.Repeat repeat => IsAtomic(repeat.Body),
        _ => false,
    };

    private string Anchor(PatternAnchor kind)
    {
        string lineFeed = _classes.Write(LineFeed);
        string word = _classes.Write(UnicodeProperties.Word);
        return kind switch
        {
            PatternAnchor.LineStart => $@"(?:\A|(?<={lineFeed})(?!\z))",
            PatternAnchor.LineEnd => $@"(?:\z|(?={lineFeed}))",
            PatternAnchor.TextStart => @"\A",
            PatternAnchor.TextEnd => @"\z",
            PatternAnchor.LastLineEnd => $@"(?:\z|(?={lineFeed}\z))",
            PatternAnchor.WordBoundary => $"(?:(?<={word})(?!{word})|(?<!{word})(?={word}))",
            _ => $"(?:(?<={word})(?={word})|(?<!{word})(?!{word}))",
        };
    }
}
