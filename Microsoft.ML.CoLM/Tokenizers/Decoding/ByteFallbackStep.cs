using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Tokens such as <c>&lt;0x0A&gt;</c> are bytes. A run of them is text where all of it is UTF-8, otherwise U+FFFD for each byte:
/// so it waits for its end.
/// </summary>
/// <remarks>
/// Where a text is taken as complete within a run, as a prompt is, what was passed on stands, and what follows is what the whole
/// run has beyond it. A character that the run completes later is passed on whole.
/// </remarks>
internal sealed class ByteFallbackStep(TokenSink next) : TokenSink
{
    private const int NameLength = 6;

    private readonly List<byte> _run = [];
    private int _passed; // of the run's characters
    private bool _passedText; // whether those were text

    /// <inheritdoc/>
    public override void Append(ReadOnlySpan<char> token)
    {
        if (TryReadByte(token, out byte value))
        {
            _run.Add(value);
            return;
        }
        Pass();
        _run.Clear();
        (_passed, _passedText) = (0, false);
        next.Append(token);
    }

    /// <inheritdoc/>
    public override void Complete()
    {
        Pass();
        next.Complete();
    }

    private static bool TryReadByte(ReadOnlySpan<char> token, out byte value)
    {
        value = 0;
        return token.Length == NameLength && token.StartsWith("<0x", StringComparison.Ordinal) && token[^1] == '>' &&
            byte.TryParse(token.Slice(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    private void Pass()
    {
        byte[] bytes = [.. _run];
        bool isText = Utf8.IsValid(bytes);
        if (isText)
        {
            string text = Encoding.UTF8.GetString(bytes);
            int from = _passedText ? _passed : 0;
            if (from < text.Length)
                next.Append(text.AsSpan(from));
            _passed = text.Length;
        }
        else
        {
            for (; _passed < bytes.Length; _passed++)
                next.Append("\uFFFD");
        }
        _passedText = isText;
    }
}
