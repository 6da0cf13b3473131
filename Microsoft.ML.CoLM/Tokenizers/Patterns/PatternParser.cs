namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Reads a regular expression in the syntax of Oniguruma, which Hugging Face's tokenizers use. What depends on the text
/// that a group matched, and what else is not supported, is refused by name.
/// </summary>
internal sealed class PatternParser
{
    private const int DeepestNesting = 100;
    private const int MostRepeats = 100_000; // Oniguruma's limit

    private readonly PatternReader _reader;
    private int _depth;

    private PatternParser(string pattern) => _reader = new(pattern);

    /// <summary>Reads an expression.</summary>
    /// <exception cref="FormatException">It cannot be read, or means what is not supported.</exception>
    public static PatternNode Parse(string pattern)
    {
        var parser = new PatternParser(pattern);
        PatternNode node = parser.ReadAlternatives(default);
        return parser._reader.Next == PatternReader.End ? node : throw parser._reader.Refuse("a parenthesis closes nothing");
    }

    /// <summary>The parts up to the end of a group, which is not read.</summary>
    private PatternNode ReadAlternatives(Options options)
    {
        if (++_depth > DeepestNesting)
            throw _reader.Refuse($"there are more than {DeepestNesting} groups within each other");
        List<PatternNode> alternatives = [ReadSequence(options)];
        while (_reader.TryRead('|'))
            alternatives.Add(ReadSequence(options));
        _depth--;
        return alternatives is [PatternNode single] ? single : new PatternNode.Alternatives(alternatives);
    }

    private PatternNode ReadSequence(Options options)
    {
        List<PatternNode> items = [];
        while (true)
        {
            if (options.IsExtended)
                SkipSpace();
            if (_reader.Next is PatternReader.End or '|' or ')')
                break;
            if (_reader.TryRead("(?#"))
                SkipComment();
            else if (TryReadQuantifier(out Quantifier quantifier))
                items.Add(Quantify(items, quantifier));
            else
                items.Add(ReadItem(options));
        }
        PatternNode node = items is [PatternNode single] ? single : new PatternNode.Sequence(items);
        RefuseLikeSingle(node);
        return node;
    }

    private void SkipSpace()
    {
        while (_reader.Next is ' ' or '\t' or '\n' or '\r' or '\f' or '#')
        {
            if (_reader.Read() == '#' && _reader.ReadUntil('\n') is null)
            {
                while (_reader.Next != PatternReader.End)
                    _reader.Read();
            }
        }
    }

    private void SkipComment()
    {
        int character;
        while ((character = _reader.Read()) != ')')
        {
            if (character == '\\')
                _reader.Read();
        }
    }

    private PatternNode ReadItem(Options options)
    {
        int character = _reader.Read();
        return character switch
        {
            '(' => ReadGroup(options),
            '[' => new PatternNode.Characters(BracketParser.Parse(_reader, options.IgnoresCase)),
            '.' => new PatternNode.Characters(options.DotIsAll ? CodePointSet.All : CodePointSet.Of('\n').Not()),
            '^' => new PatternNode.Anchor(PatternAnchor.LineStart),
            '$' => new PatternNode.Anchor(PatternAnchor.LineEnd),
            '\\' => ReadEscape(options),
            _ => Literal(character, options),
        };
    }

    private PatternNode ReadEscape(Options options)
    {
        switch (_reader.Next)
        {
            case 'b':
                return ReadAnchor(PatternAnchor.WordBoundary);
            case 'B':
                return ReadAnchor(PatternAnchor.NoWordBoundary);
            case 'A':
                return ReadAnchor(PatternAnchor.TextStart);
            case 'z':
                return ReadAnchor(PatternAnchor.TextEnd);
            case 'Z':
                return ReadAnchor(PatternAnchor.LastLineEnd);
            case 'R':
                _reader.Read();
                return LineBreak();
            case 'N':
                _reader.Read();
                return new PatternNode.Characters(CodePointSet.Of('\n').Not());
            case 'O':
                _reader.Read();
                return new PatternNode.Characters(CodePointSet.All);
            case 'G' or 'K' or 'X' or 'y' or 'Y':
                throw _reader.Refuse($"\\{(char)_reader.Read()} is not supported");
            case (>= '1' and <= '9'):
            case 'k' or 'g' when _reader.Peek(1) is '<' or '\'':
                throw _reader.Refuse($"a reference to a group (\\{(char)_reader.Read()}) is not supported");
            case '0':
                return Literal(PatternEscapes.ReadOctal(_reader, mostDigits: 3), options);
        }
        return PatternEscapes.TryReadSet(_reader, UnicodeProperties.Word) is { } set
            ? new PatternNode.Characters(set)
            : Literal(PatternEscapes.ReadCharacter(_reader), options);
    }

    private PatternNode.Anchor ReadAnchor(PatternAnchor kind)
    {
        _reader.Read();
        return new(kind);
    }

    private static PatternNode.Atomic LineBreak() => new(new PatternNode.Alternatives(
    [
        new PatternNode.Sequence(
            [new PatternNode.Characters(CodePointSet.Of('\r')), new PatternNode.Characters(CodePointSet.Of('\n'))]),
        new PatternNode.Characters(CodePointSet.Of("\n\v\f\r\u0085\u2028\u2029")),
    ]));

    private PatternNode.Characters Literal(int character, Options options)
    {
        CodePointSet set = CodePointSet.Of(character);
        if (!options.IgnoresCase)
            return new(set);
        if (CaseFolding.HasLikeSequence(set))
            throw _reader.Refuse("a character that ignores case is like several others, as ß is like ss");
        return new(CaseFolding.Close(character), character);
    }

    private PatternNode ReadGroup(Options options)
    {
        if (_reader.Next == '*')
            throw _reader.Refuse("callouts (*...) are not supported");
        if (!_reader.TryRead('?'))
            return new PatternNode.Group(ReadBody(options));
        switch (_reader.Read())
        {
            case ':':
                return ReadBody(options);
            case '>':
                return new PatternNode.Atomic(ReadBody(options));
            case '=':
                return new PatternNode.Look(ReadBody(options), IsBehind: false, IsNegative: false);
            case '!':
                return new PatternNode.Look(ReadBody(options), IsBehind: false, IsNegative: true);
            case '<' when _reader.TryRead('='):
                return ReadLookBehind(options, isNegative: false);
            case '<' when _reader.TryRead('!'):
                return ReadLookBehind(options, isNegative: true);
            case '<':
                return ReadNamedGroup('>', options);
            case '\'':
                return ReadNamedGroup('\'', options);
            case '~':
                throw _reader.Refuse("absent operators (?~...) are not supported");
            case '(':
                throw _reader.Refuse("conditions (?(...)...) are not supported");
            case '{':
                throw _reader.Refuse("callouts (?{...}) are not supported");
            default:
                _reader.Position--;
                return ReadOptions(options);
        }
    }

    private PatternNode ReadBody(Options options)
    {
        PatternNode body = ReadAlternatives(options);
        return _reader.TryRead(')') ? body : throw _reader.Refuse("a group has no closing parenthesis");
    }

    private PatternNode.Look ReadLookBehind(Options options, bool isNegative)
    {
        PatternNode body = ReadBody(options);
        if (HasAtomic(body))
            throw _reader.Refuse("a look behind with an atomic group or a possessive quantifier is not supported");
        return new(body, IsBehind: true, isNegative);
    }

    private PatternNode.Group ReadNamedGroup(char end, Options options) => _reader.ReadUntil(end) is { Length: > 0 }
        ? new(ReadBody(options))
        : throw _reader.Refuse("a group has no name");

    /// <summary>Reads options, and what they are for: a group, or all that follows in the group where they stand.</summary>
    private PatternNode.Group ReadOptions(Options options)
    {
        var turnsOn = true;
        while (true)
        {
            switch (_reader.Read())
            {
                case '-':
                    turnsOn = false;
                    break;
                case 'i':
                    options = options with { IgnoresCase = turnsOn };
                    break;
                case 'm':
                    options = options with { DotIsAll = turnsOn };
                    break;
                case 'x':
                    options = options with { IsExtended = turnsOn };
                    break;
                case ':':
                    return new(ReadBody(options));
                case ')':
                    return new(ReadAlternatives(options));
                default:
                    throw _reader.Refuse("the group's options are not among i, m and x");
            }
        }
    }

    private bool TryReadQuantifier(out Quantifier quantifier)
    {
        quantifier = default;
        if (_reader.Next == '{')
            return TryReadInterval(out quantifier);
        if (_reader.Next is not ('?' or '*' or '+'))
            return false;
        int character = _reader.Read();
        int least = character == '+' ? 1 : 0;
        int? most = character == '?' ? 1 : null;
        bool isLazy = _reader.TryRead('?');
        quantifier = new(least, most, isLazy, IsPossessive: !isLazy && _reader.TryRead('+'));
        return true;
    }

    private bool TryReadInterval(out Quantifier quantifier)
    {
        quantifier = default;
        int start = _reader.Position;
        _reader.TryRead('{');
        int? least = ReadCount();
        bool isRange = _reader.TryRead(',');
        int? most = isRange ? ReadCount() : least;
        if ((least ?? most) is null || !_reader.TryRead('}'))
        {
            // Then the brace stands for itself.
            _reader.Position = start;
            return false;
        }
        // {5,2} is a possessive {2,5}, and {5}? is {0,5} of five at once: the question mark is a quantifier of its own.
        quantifier = least > most
            ? new(most.Value, least, IsLazy: false, IsPossessive: true)
            : new(least ?? 0, most, IsLazy: isRange && _reader.TryRead('?'), IsPossessive: false);
        return true;
    }

    private int? ReadCount()
    {
        int? count = _reader.ReadNumber(radix: 10, mostDigits: int.MaxValue);
        return count > MostRepeats ? throw _reader.Refuse($"something is repeated more than {MostRepeats} times") : count;
    }

    private PatternNode Quantify(List<PatternNode> items, Quantifier quantifier)
    {
        if (items.Count == 0 || IsPlace(items[^1]))
            throw _reader.Refuse("a quantifier has nothing to repeat");
        PatternNode target = items[^1];
        items.RemoveAt(items.Count - 1);
        if (quantifier is { Least: 1, Most: 1 })
            return quantifier.IsPossessive ? new PatternNode.Atomic(target) : target;
        PatternNode repeat = RepeatReduction.Repeat(target, quantifier);
        return quantifier.IsPossessive ? new PatternNode.Atomic(repeat) : repeat;
    }

    private static bool IsPlace(PatternNode node) => node switch
    {
        PatternNode.Anchor or PatternNode.Look => true,
        PatternNode.Alternatives alternatives => alternatives.Items.Any(IsPlace),
        _ => false,
    };

    private static bool HasAtomic(PatternNode node) => node switch
    {
        PatternNode.Atomic => true,
        PatternNode.Sequence sequence => sequence.Items.Any(HasAtomic),
        PatternNode.Alternatives alternatives => alternatives.Items.Any(HasAtomic),
        PatternNode.Repeat repeat => HasAtomic(repeat.Body),
        PatternNode.Group group => HasAtomic(group.Body),
        PatternNode.Look look => HasAtomic(look.Body),
        _ => false,
    };

    // Oniguruma lets "ss" match ß, too.
    private void RefuseLikeSingle(PatternNode node)
    {
        List<int> row = [];
        AddRow(node, row);
        for (var i = 0; i < row.Count; i++)
        {
            if (CaseFolding.StartsLikeSingle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(row)[i..]))
                throw _reader.Refuse("characters that ignore case are like a single one, as ss is like ß");
        }
    }

    // The literals that stand together; −1 where others stand between.
    private static void AddRow(PatternNode node, List<int> row)
    {
        switch (node)
        {
            case PatternNode.Characters characters:
                row.Add(characters.FoldedLiteral);
                break;
            case PatternNode.Sequence sequence:
                foreach (PatternNode item in sequence.Items)
                    AddRow(item, row);
                break;
            case PatternNode.Group group:
                AddRow(group.Body, row);
                break;
            case PatternNode.Repeat { Least: > 1 } repeat:
                AddRow(repeat.Body, row);
                AddRow(repeat.Body, row);
                break;
            default:
                row.Add(-1);
                break;
        }
    }

    /// <summary>What the options of a group say.</summary>
    /// <param name="IgnoresCase"><c>i</c>.</param>
    /// <param name="DotIsAll"><c>m</c>: a dot matches a line feed, too.</param>
    /// <param name="IsExtended"><c>x</c>: space and comments are skipped.</param>
    private readonly record struct Options(bool IgnoresCase, bool DotIsAll, bool IsExtended);
}
