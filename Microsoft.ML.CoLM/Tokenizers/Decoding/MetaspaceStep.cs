namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>A character stands for a space; in the first token for nothing where one was put in front of the text.</summary>
internal sealed class MetaspaceStep(char replacement, bool dropsFirst, TokenSink next) : TokenSink
{
    private bool _isFirst = true;
    private char[] _text = []; // its room, kept from token to token

    /// <inheritdoc/>
    public override void Append(ReadOnlySpan<char> token)
    {
        if (token.Length > _text.Length)
            _text = new char[2 * token.Length];
        var length = 0;
        foreach (char character in token)
        {
            if (character != replacement)
                _text[length++] = character;
            else if (!_isFirst || !dropsFirst)
                _text[length++] = ' ';
        }
        next.Append(_text.AsSpan(0, length));
        _isFirst = false;
    }

    /// <inheritdoc/>
    public override void Complete() => next.Complete();
}
