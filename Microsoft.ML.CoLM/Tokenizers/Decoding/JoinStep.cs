namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Puts a space between tokens, as Hugging Face's tokenizers do that have no decoder.</summary>
internal sealed class JoinStep(TokenSink next) : TokenSink
{
    private bool _isFirst = true;

    /// <inheritdoc/>
    public override void Append(ReadOnlySpan<char> token)
    {
        if (!_isFirst)
            next.Append(" ");
        next.Append(token);
        _isFirst = false;
    }

    /// <inheritdoc/>
    public override void Complete() => next.Complete();
}
