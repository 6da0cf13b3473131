using System.Buffers;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// Detokenizes by the steps of a model folder's tokenizer, which wait with what further tokens may change: a character's first
/// bytes for its last, and, where bytes are tokens, a run of them for its end.
/// </summary>
internal sealed class ModelDetokenizer : IDetokenizer
{
    private readonly ModelTokenizer _tokenizer;
    private readonly TokenSink _sink;
    private IBufferWriter<char>? _text;

    public ModelDetokenizer(ModelTokenizer tokenizer, IReadOnlyList<int> prompt)
    {
        _tokenizer = tokenizer;
        _sink = tokenizer.BeginDecoding(Write);
        foreach (var token in prompt)
            tokenizer.Append(token, _sink);
        // What the prompt leaves open is part of its text; what follows is what is added to that.
        _sink.Complete();
    }

    /// <inheritdoc/>
    public void Append(int token, IBufferWriter<char> text)
    {
        _text = text;
        _tokenizer.Append(token, _sink);
    }

    /// <inheritdoc/>
    public void Complete(IBufferWriter<char> text)
    {
        _text = text;
        _sink.Complete();
    }

    private void Write(ReadOnlySpan<char> piece) => _text?.Write(piece);
}
