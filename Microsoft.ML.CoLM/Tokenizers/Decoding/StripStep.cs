namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Takes away as many of a character as there are at each token's beginning and end, up to a number.</summary>
internal sealed class StripStep(char character, int start, int end, TokenSink next) : TokenSink
{
    /// <inheritdoc/>
    public override void Append(ReadOnlySpan<char> token)
    {
        var from = 0;
        while (from < start && from < token.Length && token[from] == character)
            from++;
        int to = token.Length;
        while (token.Length - to < end && to > from && token[to - 1] == character)
            to--;
        next.Append(token[from..to]);
    }

    /// <inheritdoc/>
    public override void Complete() => next.Complete();
}
