namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>A part of an expression.</summary>
internal abstract record PatternNode
{
    /// <summary>One character of a set.</summary>
    /// <param name="Set">The set.</param>
    /// <param name="FoldedLiteral">The character that the expression names where it ignores case, otherwise −1.</param>
    public sealed record Characters(CodePointSet Set, int FoldedLiteral = -1) : PatternNode;

    /// <summary>All parts, one after another.</summary>
    public sealed record Sequence(IReadOnlyList<PatternNode> Items) : PatternNode;

    /// <summary>The first part that leads to a match.</summary>
    public sealed record Alternatives(IReadOnlyList<PatternNode> Items) : PatternNode;

    /// <summary>A part several times.</summary>
    /// <param name="Body">The part.</param>
    /// <param name="Least">How often at least.</param>
    /// <param name="Most">How often at most, or null.</param>
    /// <param name="IsLazy">Whether fewer times are tried first.</param>
    public sealed record Repeat(PatternNode Body, int Least, int? Most, bool IsLazy) : PatternNode;

    /// <summary>A part in parentheses that a quantifier does not look into.</summary>
    public sealed record Group(PatternNode Body) : PatternNode;

    /// <summary>A part whose first match is final.</summary>
    public sealed record Atomic(PatternNode Body) : PatternNode;

    /// <summary>A place before or after which a part matches, or does not.</summary>
    public sealed record Look(PatternNode Body, bool IsBehind, bool IsNegative) : PatternNode;

    /// <summary>A place.</summary>
    public sealed record Anchor(PatternAnchor Kind) : PatternNode;
}
