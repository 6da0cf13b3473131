namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>A place that an expression names.</summary>
internal enum PatternAnchor
{
    /// <summary><c>^</c>: the text's start, and behind a line feed unless it ends the text.</summary>
    LineStart,

    /// <summary><c>$</c>: the text's end, and before a line feed.</summary>
    LineEnd,

    /// <summary><c>\A</c>.</summary>
    TextStart,

    /// <summary><c>\z</c>.</summary>
    TextEnd,

    /// <summary><c>\Z</c>: the text's end, and before a line feed that ends it.</summary>
    LastLineEnd,

    /// <summary><c>\b</c>.</summary>
    WordBoundary,

    /// <summary><c>\B</c>.</summary>
    NoWordBoundary,
}
