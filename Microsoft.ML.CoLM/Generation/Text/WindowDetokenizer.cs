using System.Buffers;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// Detokenizes with a tokenizer that says nothing of its tokens' bytes: decodes the newest tokens after those before
/// them, and takes what they add, unless it ends within a character or in bytes that a further one makes other text.
/// </summary>
internal sealed class WindowDetokenizer : IDetokenizer
{
    // What tokenizers write for bytes that are no character, or none yet.
    private const char Replacement = '\uFFFD';

    private readonly Tokenizer _tokenizer;
    private readonly IReadOnlyList<int> _letter;
    private readonly int? _breaker; // a token that changes the text of a run of bytes before it; null for none
    private readonly List<int> _window;
    private int _writtenTokens;
    private string _written;

    public WindowDetokenizer(Tokenizer tokenizer, IReadOnlyList<int> prompt)
    {
        _tokenizer = tokenizer;
        _letter = tokenizer.EncodeToIds("a");
        _breaker = FindBreaker(tokenizer);
        _window = [.. prompt];
        _writtenTokens = prompt.Count;
        _written = tokenizer.DecodeDocument(_window);
    }

    /// <inheritdoc/>
    public void Append(int token, IBufferWriter<char> text)
    {
        _window.Add(token);
        var decoded = _tokenizer.DecodeDocument(_window);
        int from = Added(decoded);
        if (decoded.Length <= from || decoded.EndsWith(Replacement) || IsOpen(decoded))
            return;
        text.Write(decoded.AsSpan(from));

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
        int from = Added(decoded);
        if (decoded.Length > from)
            text.Write(decoded.AsSpan(from));
    }

    /// <summary>Finds a token that is a byte, where a run of bytes is text only if all of it is.</summary>
    private static int? FindBreaker(Tokenizer tokenizer)
    {
        // Few vocabularies have the last character of a private area.
        int[] bytes = [.. tokenizer.EncodeToIds("\U0010FFFD")];
        string character = tokenizer.DecodeDocument(bytes);
        foreach (int id in bytes)
        {
            if (!tokenizer.DecodeDocument([.. bytes, id]).StartsWith(character, StringComparison.Ordinal))
                return id;
        }
        return null;
    }

    private bool IsOpen(string decoded) => _breaker is int breaker &&
        !_tokenizer.DecodeDocument([.. _window, breaker]).StartsWith(decoded, StringComparison.Ordinal);

    /// <summary>Where what is not written yet begins.</summary>
    private int Added(string decoded)
    {
        // Bytes at the prompt's end that are no character by themselves may begin one.
        int text = _written.AsSpan().TrimEnd(Replacement).Length;
        return text < Math.Min(_written.Length, decoded.Length) && decoded[text] != Replacement ? text : _written.Length;
    }
}
