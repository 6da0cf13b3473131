namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>A character stands for a space; in the first token for nothing where one was put in front of the text.</summary>
internal sealed class MetaspaceStep(char replacement, bool dropsFirst, TokenSink next) : TokenSink
{
    private bool _isFirst = true;

    /// <inheritdoc/>
    public override void Append(string token)
    {
        next.Append(token.Replace(replacement.ToString(), _isFirst && dropsFirst ? "" : " ", StringComparison.Ordinal));
        _isFirst = false;
    }

    /// <inheritdoc/>
    public override void Complete() => next.Complete();
}
