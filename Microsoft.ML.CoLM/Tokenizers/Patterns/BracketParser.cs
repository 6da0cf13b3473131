namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Reads a set in brackets, with ranges, POSIX names, sets within and intersections.</summary>
internal sealed class BracketParser
{
    private const int DeepestNesting = 100;

    private readonly PatternReader _reader;
    private readonly List<CodePointSet> _parts = []; // of what stands before or behind an &&
    private CodePointSet? _intersection; // of what stands before
    private State _state;
    private int _value; // the last character, which may begin a range

    private BracketParser(PatternReader reader) => _reader = reader;

    private enum State
    {
        Start,
        Value, // a character was read
        Property, // a set with a name was read, which cannot begin a range
        Range, // a character and a hyphen were read
        Complete, // a range or a set in brackets was read
    }

    /// <summary>Reads the set behind an opening bracket, with the closing one.</summary>
    /// <param name="reader">The expression.</param>
    /// <param name="ignoreCase">Whether characters stand for those that differ from them only in case.</param>
    /// <exception cref="FormatException">It cannot be read, or means what is not supported.</exception>
    public static CodePointSet Parse(PatternReader reader, bool ignoreCase)
    {
        bool isNegative = reader.TryRead('^');
        CodePointSet set = new BracketParser(reader).Parse(depth: 0);
        if (ignoreCase)
        {
            if (!isNegative && CaseFolding.HasLikeSequence(set))
                throw reader.Refuse("a set that ignores case has a character like several others, as ß is like ss");
            set = CaseFolding.Close(set);
        }
        return isNegative ? set.Not() : set;
    }

    private CodePointSet Parse(int depth)
    {
        if (depth > DeepestNesting)
            throw _reader.Refuse($"there are more than {DeepestNesting} brackets within each other");
        if (_reader.Next == ']' && HasClosingBracket())
            AddCharacter(_reader.Read());
        while (true)
        {
            switch (_reader.Read())
            {
                case ']':
                    EndPart();
                    return _intersection!;
                case '-':
                    ReadHyphen();
                    break;
                case '[' when _reader.Next == ':' && TryReadPosix() is { } posix:
                    AddProperty(posix);
                    break;
                case '[':
                    ReadInner(depth);
                    break;
                case '&' when _reader.TryRead('&'):
                    EndPart();
                    break;
                case '\\':
                    ReadEscape();
                    break;
                case var character:
                    AddCharacter(character);
                    break;
            }
        }
    }

    private void ReadInner(int depth)
    {
        if (_state == State.Range)
            throw _reader.Refuse("a range cannot end with a set");
        FlushValue();
        bool isNegative = _reader.TryRead('^');
        CodePointSet inner = new BracketParser(_reader).Parse(depth + 1);
        _parts.Add(isNegative ? inner.Not() : inner);
        _state = State.Complete;
    }

    private bool HasClosingBracket()
    {
        for (var offset = 1; _reader.Peek(offset) != PatternReader.End; offset++)
        {
            if (_reader.Peek(offset) == ']')
                return true;
            if (_reader.Peek(offset) == '\\')
                offset++;
        }
        return false;
    }

    private void ReadEscape()
    {
        if (PatternEscapes.TryReadSet(_reader, UnicodeProperties.Named("word")) is { } set)
            AddProperty(set);
        else if (_reader.Next is >= '0' and <= '7')
            AddCharacter(PatternEscapes.ReadOctal(_reader, mostDigits: 3));
        else
            AddCharacter(PatternEscapes.ReadCharacter(_reader));
    }

    private void ReadHyphen()
    {
        bool endsPart = _reader.Next == ']' || (_reader.Next == '&' && _reader.Peek(1) == '&');
        if (_state == State.Value && !endsPart)
            _state = State.Range;
        else if (_state == State.Property && !endsPart)
            throw _reader.Refuse("a range cannot begin with a set");
        else
            AddCharacter('-');
    }

    private void AddCharacter(int character)
    {
        if (_state == State.Range)
        {
            if (_value > character)
                throw _reader.Refuse("a range ends before it begins");
            _parts.Add(CodePointSet.Range(_value, character));
            _state = State.Complete;
            return;
        }
        FlushValue();
        _value = character;
        _state = State.Value;
    }

    private void AddProperty(CodePointSet set)
    {
        if (_state == State.Range)
            throw _reader.Refuse("a range cannot end with a set");
        FlushValue();
        _parts.Add(set);
        _state = State.Property;
    }

    private void FlushValue()
    {
        if (_state == State.Value)
            _parts.Add(CodePointSet.Of(_value));
    }

    private void EndPart()
    {
        FlushValue();
        CodePointSet part = CodePointSet.Union(_parts);
        _intersection = _intersection is null ? part : _intersection.And(part);
        _parts.Clear();
        _state = State.Start;
    }

    private CodePointSet? TryReadPosix()
    {
        int start = _reader.Position;
        _reader.TryRead(':');
        bool isNegative = _reader.TryRead('^');
        string? name = _reader.ReadUntil(':');
        if (name is null or "" || !name.All(char.IsAsciiLetter) || !_reader.TryRead(']'))
        {
            _reader.Position = start;
            return null;
        }
        CodePointSet set = UnicodeProperties.FindPosix(name) ?? throw _reader.Refuse($"[:{name}:] is not known");
        return isNegative ? set.Not() : set;
    }
}
