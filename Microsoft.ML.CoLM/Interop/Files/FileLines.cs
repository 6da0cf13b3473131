using System.Buffers;
using System.Globalization;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>Reads files of lines, one line at a time, each up to a limit; see <see cref="FileLimits"/>.</summary>
internal static class FileLines
{
    private const int PieceLength = 64 << 10;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>
    /// The lines that are not blank, with their numbers from 1 among all, without their ends (<c>\n</c> or <c>\r\n</c>)
    /// and without a mark of byte order before the first.
    /// </summary>
    /// <param name="path">The file; links are followed.</param>
    /// <param name="fileLimit">Bytes that it may have.</param>
    /// <param name="lineLimit">Bytes that a line may have.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file or a line is longer, or it is no ordinary file.</exception>
    public static IEnumerable<(int Number, byte[] Bytes)> Read(string path, long fileLimit, long lineLimit)
    {
        using var file = OrdinaryFile.OpenRead(path);
        var line = new ArrayBufferWriter<byte>();
        var piece = new byte[PieceLength];
        var (number, total) = (1, 0L);
        while (file.Read(piece) is > 0 and var length)
        {
            total += length;
            if (total > fileLimit)
                throw TooLong(path, fileLimit);
            for (var begin = 0; begin < length;)
            {
                var end = Array.IndexOf(piece, (byte)'\n', begin, length - begin);
                var part = piece.AsSpan(begin..(end < 0 ? length : end));
                if (line.WrittenCount + part.Length > lineLimit)
                    throw TooLong(string.Create(CultureInfo.InvariantCulture, $"{path}, line {number}"), lineLimit);
                line.Write(part);
                begin += part.Length + 1;
                if (end < 0)
                    break;
                if (Content(line, number) is { Length: > 0 } content)
                    yield return (number, content);
                line.ResetWrittenCount();
                number++;
            }
        }
        if (Content(line, number) is { Length: > 0 } last)
            yield return (number, last);
    }

    // Nothing where the line is blank.
    private static byte[] Content(ArrayBufferWriter<byte> line, int number)
    {
        var content = line.WrittenSpan;
        if (number == 1 && content.StartsWith(ByteOrderMark))
            content = content[ByteOrderMark.Length..];
        if (content.EndsWith("\r"u8))
            content = content[..^1];
        return content.ContainsAnyExcept(" \t\r\v\f"u8) ? content.ToArray() : [];
    }

    private static InvalidDataException TooLong(string place, long limit) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{place}: expected at most {limit} bytes, found more."));
}
