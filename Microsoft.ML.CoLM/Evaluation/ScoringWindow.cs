namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>A stretch of a sequence that fits the model's context, and the tokens in it that are scored.</summary>
/// <param name="Sequence">Which sequence.</param>
/// <param name="Start">Its first token.</param>
/// <param name="Length">Its number of tokens, at least 2.</param>
/// <param name="ScoredFrom">The first token, counted in the window, that is scored; at least 1.</param>
internal readonly record struct ScoringWindow(int Sequence, int Start, int Length, int ScoredFrom)
{
    /// <summary>Tokens that are read: the last is predicted alone.</summary>
    public int TokensRead => Length - 1;

    /// <summary>
    /// Windows of at most a length that advance by a stride, so that every token after the first is scored once, with as
    /// much of its past as its window holds.
    /// </summary>
    /// <param name="sequence">Which sequence.</param>
    /// <param name="tokenCount">Its tokens.</param>
    /// <param name="longest">Tokens of a window; of one there would be none to score.</param>
    /// <param name="stride">Tokens to advance by, fewer than a window has; null takes half of a window.</param>
    public static IEnumerable<ScoringWindow> Over(int sequence, int tokenCount, int longest, int? stride = null)
    {
        var size = Math.Max(2, longest);
        var scored = 1;
        for (var start = 0; scored < tokenCount; start += stride ?? size / 2)
        {
            var length = Math.Min(size, tokenCount - start);
            yield return new ScoringWindow(sequence, start, length, scored - start);
            scored = start + length;
        }
    }

    /// <summary>
    /// Windows that each predict as many new tokens as they read, as lm-evaluation-harness has them: the first begins behind
    /// the sequence's first token, each later one behind a single token of the one before, and the last reaches back so far
    /// that it is as long as the others.
    /// </summary>
    /// <param name="sequence">Which sequence.</param>
    /// <param name="tokenCount">Its tokens.</param>
    /// <param name="longest">Tokens that a window reads: its length, which counts the last one that it predicts, is 1 more.</param>
    public static IEnumerable<ScoringWindow> Disjoint(int sequence, int tokenCount, int longest)
    {
        for (var scored = 1; scored < tokenCount;)
        {
            var end = (int)Math.Min((long)scored + longest, tokenCount);
            var start = Math.Max(0, end - 1 - longest);
            yield return new ScoringWindow(sequence, start, end - start, scored - start);
            scored = end;
        }
    }

    /// <summary>The window without the scores of tokens before one of the sequence.</summary>
    public ScoringWindow From(int token) => this with { ScoredFrom = Math.Max(ScoredFrom, token - Start) };
}
