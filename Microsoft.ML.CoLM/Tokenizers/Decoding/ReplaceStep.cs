namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Replaces a text in each token.</summary>
internal sealed class ReplaceStep(string pattern, string content, TokenSink next) : TokenSink
{
    private char[] _text = []; // its room, kept from token to token

    /// <inheritdoc/>
    public override void Append(ReadOnlySpan<char> token)
    {
        if (!token.Contains(pattern, StringComparison.Ordinal))
        {
            next.Append(token);
        }
        else if (pattern.Length > 1 || content.Length != 1)
        {
            next.Append(token.ToString().Replace(pattern, content, StringComparison.Ordinal));
        }
        else
        {
            if (token.Length > _text.Length)
                _text = new char[2 * token.Length];
            token.Replace(_text, pattern[0], content[0]);
            next.Append(_text.AsSpan(0, token.Length));
        }
    }

    /// <inheritdoc/>
    public override void Complete() => next.Complete();
}
