namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Replaces a text in each token.</summary>
internal sealed class ReplaceStep(string pattern, string content, TokenSink next) : TokenSink
{
    /// <inheritdoc/>
    public override void Append(string token) => next.Append(token.Replace(pattern, content, StringComparison.Ordinal));

    /// <inheritdoc/>
    public override void Complete() => next.Complete();
}
