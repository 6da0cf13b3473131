namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>A suffix marks the end of words: it is a space, but in the text's last token nothing.</summary>
internal sealed class WordEndStep(string suffix, TokenSink next) : TokenSink
{
    private string? _last;
    private bool _endedWord;

    /// <inheritdoc/>
    public override void Append(ReadOnlySpan<char> token)
    {
        if (_endedWord)
            next.Append(" ");
        if (_last is not null)
            next.Append(_last.Replace(suffix, " ", StringComparison.Ordinal));
        (_last, _endedWord) = (token.ToString(), false);
    }

    /// <inheritdoc/>
    public override void Complete()
    {
        if (_last is not null)
        {
            next.Append(_last.Replace(suffix, "", StringComparison.Ordinal));
            _endedWord = _last.EndsWith(suffix, StringComparison.Ordinal);
            _last = null;
        }
        next.Complete();
    }
}
