using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Tokens such as <c>&lt;0x0A&gt;</c> are bytes. A run of them is text where all of it is UTF-8, otherwise U+FFFD for each byte:
/// so it waits for its end.
/// </summary>
internal sealed class ByteFallbackStep(TokenSink next) : TokenSink
{
    private const int NameLength = 6;

    private readonly List<byte> _run = [];

    /// <inheritdoc/>
    public override void Append(string token)
    {
        if (TryReadByte(token, out byte value))
        {
            _run.Add(value);
            return;
        }
        EndRun();
        next.Append(token);
    }

    /// <inheritdoc/>
    public override void Complete()
    {
        EndRun();
        next.Complete();
    }

    private static bool TryReadByte(string token, out byte value)
    {
        value = 0;
        return token.Length == NameLength && token.StartsWith("<0x", StringComparison.Ordinal) && token[^1] == '>' &&
            byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    private void EndRun()
    {
        if (_run.Count == 0)
            return;
        byte[] bytes = [.. _run];
        _run.Clear();
        if (Utf8.IsValid(bytes))
        {
            next.Append(Encoding.UTF8.GetString(bytes));
            return;
        }
        for (var i = 0; i < bytes.Length; i++)
            next.Append("\uFFFD");
    }
}
