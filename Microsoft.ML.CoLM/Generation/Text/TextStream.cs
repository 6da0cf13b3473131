using System.Buffers;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// The text of generated tokens as it comes: whole characters, and nothing that may still become a stop text.
/// </summary>
internal sealed class TextStream(IDetokenizer detokenizer, IReadOnlyList<string> stopTexts)
{
    private readonly StopDetector _stops = new(stopTexts);
    private readonly ArrayBufferWriter<char> _text = new();
    private int _sure;
    private int _taken;

    /// <summary>The text that is sure to be part of the result.</summary>
    public string Text => _text.WrittenSpan[.._sure].ToString();

    /// <summary>Appends a token.</summary>
    /// <returns>Whether a stop text is complete; the text then ends before it.</returns>
    public bool Append(int token)
    {
        detokenizer.Append(token, _text);
        return Advance();
    }

    /// <summary>Makes all text sure: no token follows.</summary>
    public void Complete()
    {
        detokenizer.Complete(_text);
        if (!Advance())
            _sure = _text.WrittenCount;
    }

    /// <summary>The text that became sure since this was last called.</summary>
    public ReadOnlySpan<char> TakeNew()
    {
        var text = _text.WrittenSpan[_taken.._sure];
        _taken = _sure;
        return text;
    }

    private bool Advance()
    {
        // Text before this cannot be part of a stop text, or it would not be sure.
        var text = _text.WrittenSpan[_sure..];
        if (_stops.TryFind(text, out var start))
        {
            _sure += start;
            return true;
        }
        _sure += text.Length - _stops.HeldBack(text);
        return false;
    }
}
