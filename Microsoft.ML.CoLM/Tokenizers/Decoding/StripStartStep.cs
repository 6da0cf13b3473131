namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Takes away as many of a character as there are at the whole text's beginning, up to a number.</summary>
internal sealed class StripStartStep(char character, int count, TokenSink next) : TokenSink
{
    private int _left = count;

    /// <inheritdoc/>
    public override void Append(ReadOnlySpan<char> token)
    {
        var from = 0;
        while (from < token.Length && _left > 0)
        {
            _left = token[from] == character ? _left - 1 : 0;
            if (_left > 0 || token[from] == character)
                from++;
        }
        if (from < token.Length)
            next.Append(token[from..]);
    }

    /// <inheritdoc/>
    public override void Complete() => next.Complete();
}
