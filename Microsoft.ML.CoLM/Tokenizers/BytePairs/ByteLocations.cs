using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Where the bytes of a text come from.</summary>
internal static class ByteLocations
{
    /// <summary>For each byte of a text in UTF-8, the character that it belongs to, which may be two code units.</summary>
    public static List<(int Start, int End)> Of(ReadOnlySpan<char> text)
    {
        List<(int Start, int End)> locations = new(text.Length);
        for (var start = 0; start < text.Length;)
        {
            Rune.DecodeFromUtf16(text[start..], out Rune rune, out int length);
            for (var i = 0; i < rune.Utf8SequenceLength; i++)
                locations.Add((start, start + length));
            start += length;
        }
        return locations;
    }
}
