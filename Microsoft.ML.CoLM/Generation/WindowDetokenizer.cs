using System.Buffers;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// Detokenizes with a tokenizer that says nothing of its tokens' bytes: decodes the newest tokens after those before
/// them, and takes what they add, unless it ends within a character.
/// </summary>
internal sealed class WindowDetokenizer : IDetokenizer
{
    // What tokenizers write for bytes that are no character, or none yet.
    private const char Replacement = '\uFFFD';

    private readonly Tokenizer _tokenizer;
    private readonly IReadOnlyList<int> _letter;
    private readonly List<int> _window;
    private int _writtenTokens;
    private string _written;

    public WindowDetokenizer(Tokenizer tokenizer, IReadOnlyList<int> prompt)
    {
        _tokenizer = tokenizer;
        _letter = tokenizer.EncodeToIds("a");
        _window = [.. prompt];
        _writtenTokens = prompt.Count;
        _written = tokenizer.DecodeDocument(_window);
    }

    /// <inheritdoc/>
    public void Append(int token, IBufferWriter<char> text)
    {
        _window.Add(token);
        var decoded = _tokenizer.DecodeDocument(_window);
        if (decoded.Length <= _written.Length || decoded.EndsWith(Replacement))
            return;
        text.Write(decoded.AsSpan(_written.Length));

        // The text is within no character, so that the newest tokens are all that the next ones need. What tokenizers
        // do at a document's beginning alone, they do to the letter now.
        _window.RemoveRange(0, _writtenTokens);
        _window.InsertRange(0, _letter);
        _writtenTokens = _window.Count;
        _written = _tokenizer.DecodeDocument(_window);
    }

    /// <inheritdoc/>
    public void Complete(IBufferWriter<char> text)
    {
        var decoded = _tokenizer.DecodeDocument(_window);
        if (decoded.Length > _written.Length)
            text.Write(decoded.AsSpan(_written.Length));
    }
}
