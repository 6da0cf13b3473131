namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>How tokens become text: steps, the first of which takes the tokens. Safe for several threads.</summary>
internal sealed class TextDecoding
{
    private readonly Func<TokenSink, TokenSink>[] _steps;

    /// <param name="steps">Each makes its part of a decoding of the part that follows it.</param>
    public TextDecoding(params Func<TokenSink, TokenSink>[] steps) => _steps = steps;

    /// <summary>Bytes in <see cref="ByteAlphabet"/>.</summary>
    public static TextDecoding ByteLevel { get; } = new(next => new ByteLevelStep(next));

    /// <summary>SentencePiece's: <c>▁</c> is a space, and one that was put in front of the text is taken away.</summary>
    public static TextDecoding SentencePiece(bool takesSpace) => new(
        next => new ReplaceStep(CharacterEncoder.Space.ToString(), " ", next),
        next => new ByteFallbackStep(next),
        next => new StripStartStep(' ', takesSpace ? 1 : 0, next));

    /// <summary>Begins a text.</summary>
    /// <param name="write">Takes the text, piece by piece.</param>
    public TokenSink Begin(Action<ReadOnlySpan<char>> write)
    {
        TokenSink sink = new TextSink(write);
        foreach (Func<TokenSink, TokenSink> step in Enumerable.Reverse(_steps))
            sink = step(sink);
        return sink;
    }
}
