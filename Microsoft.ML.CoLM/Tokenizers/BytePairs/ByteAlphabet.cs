using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// The 256 characters that byte-level vocabularies spell bytes with: a byte that prints as itself in Latin-1 is that
/// character, the others are the characters from U+0100 on, in order. A space is <c>Ġ</c>.
/// </summary>
internal static class ByteAlphabet
{
    private const short None = -1;

    private static readonly char[] Symbols = CreateSymbols();
    private static readonly short[] Bytes = CreateBytes();

    /// <summary>The character that stands for a byte.</summary>
    public static char Symbol(byte value) => Symbols[value];

    /// <summary>
    /// The bytes that a token of the vocabulary stands for. Tokens that were added beside the vocabulary are not
    /// spelled in this alphabet: characters outside it stand for themselves.
    /// </summary>
    /// <param name="token">The token.</param>
    /// <param name="bytes">Receives the bytes, as many at most as the token's characters could have in UTF-8.</param>
    /// <returns>How many there are.</returns>
    public static int BytesOf(ReadOnlySpan<char> token, Span<byte> bytes)
    {
        for (var i = 0; i < token.Length; i++)
        {
            if (token[i] >= Bytes.Length || Bytes[token[i]] == None)
                return Encoding.UTF8.GetBytes(token, bytes);
            bytes[i] = (byte)Bytes[token[i]];
        }
        return token.Length;
    }

    /// <summary>The UTF-8 bytes of a text in this alphabet; a half of a surrogate pair counts as U+FFFD.</summary>
    public static string Spell(ReadOnlySpan<char> text)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, bytes);
        return string.Create(bytes.Length, bytes, (symbols, values) =>
        {
            for (var i = 0; i < symbols.Length; i++)
                symbols[i] = Symbol(values[i]);
        });
    }

    private static char[] CreateSymbols()
    {
        var symbols = new char[256];
        var next = (char)256;
        for (var value = 0; value < symbols.Length; value++)
        {
            bool printable = value is (>= '!' and <= '~') or (>= '¡' and <= '¬') or (>= '®' and <= 'ÿ');
            symbols[value] = printable ? (char)value : next++;
        }
        return symbols;
    }

    private static short[] CreateBytes()
    {
        var bytes = new short[Symbols.Max() + 1];
        Array.Fill(bytes, None);
        for (short value = 0; value < Symbols.Length; value++)
            bytes[Symbols[value]] = value;
        return bytes;
    }
}
