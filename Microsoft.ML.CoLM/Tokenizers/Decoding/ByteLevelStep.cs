using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Tokens spell bytes in <see cref="ByteAlphabet"/>, which are UTF-8; what is none becomes U+FFFD.</summary>
internal sealed class ByteLevelStep(TokenSink next) : TokenSink
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();

    /// <inheritdoc/>
    public override void Append(string token) => Decode(ByteAlphabet.BytesOf(token), flush: false);

    /// <inheritdoc/>
    public override void Complete()
    {
        Decode([], flush: true);
        next.Complete();
    }

    private void Decode(byte[] bytes, bool flush)
    {
        var characters = new char[Encoding.UTF8.GetMaxCharCount(bytes.Length)];
        int count = _decoder.GetChars(bytes, characters, flush);
        if (count > 0)
            next.Append(new(characters, 0, count));
    }
}
