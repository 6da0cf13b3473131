using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Tokens spell bytes in <see cref="ByteAlphabet"/>, which are UTF-8; what is none becomes U+FFFD.</summary>
internal sealed class ByteLevelStep(TokenSink next) : TokenSink
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();

    // Room for a token, kept from one to the next.
    private byte[] _bytes = [];
    private char[] _characters = [];

    /// <inheritdoc/>
    public override void Append(ReadOnlySpan<char> token)
    {
        int most = Encoding.UTF8.GetMaxByteCount(token.Length);
        if (most > _bytes.Length)
            _bytes = new byte[most];
        Decode(_bytes.AsSpan(0, ByteAlphabet.BytesOf(token, _bytes)), flush: false);
    }

    /// <inheritdoc/>
    public override void Complete()
    {
        Decode([], flush: true);
        next.Complete();
    }

    private void Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        int most = Encoding.UTF8.GetMaxCharCount(bytes.Length);
        if (most > _characters.Length)
            _characters = new char[most];
        int count = _decoder.GetChars(bytes, _characters, flush);
        if (count > 0)
            next.Append(_characters.AsSpan(0, count));
    }
}
