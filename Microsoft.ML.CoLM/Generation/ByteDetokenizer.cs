using System.Buffers;
using System.Text;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>Detokenizes by the bytes of each token; a character's first bytes wait for its last.</summary>
internal sealed class ByteDetokenizer : IDetokenizer
{
    private readonly ModelTokenizer _tokenizer;
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private bool _dropsSpace;

    public ByteDetokenizer(ModelTokenizer tokenizer, IReadOnlyList<int> prompt)
    {
        _tokenizer = tokenizer;
        _dropsSpace = tokenizer.AddsLeadingSpace && prompt.All(token => tokenizer.TextOf(token).IsEmpty);
    }

    /// <inheritdoc/>
    public void Append(int token, IBufferWriter<char> text)
    {
        var bytes = _tokenizer.TextOf(token);
        if (bytes.IsEmpty)
            return;
        if (_dropsSpace && bytes[0] == ' ')
            bytes = bytes[1..];
        _dropsSpace = false;
        Decode(bytes, text, flush: false);
    }

    /// <inheritdoc/>
    public void Complete(IBufferWriter<char> text) => Decode([], text, flush: true);

    private void Decode(ReadOnlySpan<byte> bytes, IBufferWriter<char> text, bool flush)
    {
        var characters = text.GetSpan(Encoding.UTF8.GetMaxCharCount(bytes.Length));
        text.Advance(_decoder.GetChars(bytes, characters, flush));
    }
}
