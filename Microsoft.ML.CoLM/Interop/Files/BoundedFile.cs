using System.Buffers;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>Reads files and streams whole, up to a limit; see <see cref="FileLimits"/>.</summary>
internal static class BoundedFile
{
    private const int FirstPiece = 16 << 10;

    /// <summary>The bytes of an ordinary file.</summary>
    /// <param name="path">The file; links are followed.</param>
    /// <param name="limit">Bytes that it may have, at most <see cref="Array.MaxLength"/>.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is longer, or no ordinary file.</exception>
    public static byte[] ReadAllBytes(string path, long limit)
    {
        using var file = OrdinaryFile.OpenRead(path);
        return ReadAllBytes(file, limit, path);
    }

    /// <summary>What is left of a stream, of which no more than the limit is read.</summary>
    /// <param name="stream">Need not be seekable.</param>
    /// <param name="limit">Bytes that it may have, at most <see cref="Array.MaxLength"/>.</param>
    /// <param name="name">The stream's name, for messages.</param>
    /// <exception cref="InvalidDataException">It is longer.</exception>
    public static byte[] ReadAllBytes(Stream stream, long limit, string name)
    {
        if (stream.CanSeek && stream.Length - stream.Position > limit)
            throw TooLong(name, limit, stream.Length - stream.Position);

        // Grows with what arrives, whatever length the stream claims to have.
        var content = new ArrayBufferWriter<byte>();
        while (true)
        {
            var piece = content.GetMemory(FirstPiece);
            var read = stream.Read(piece.Span[..(int)Math.Min(piece.Length, limit + 1 - content.WrittenCount)]);
            content.Advance(read);
            if (content.WrittenCount > limit)
                throw TooLong(name, limit, found: null);
            if (read == 0)
                return content.WrittenSpan.ToArray();
        }
    }

    private static InvalidDataException TooLong(string name, long limit, long? found) =>
        new(string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"{name}: expected at most {limit} bytes, found {(found is { } length ? length : "more")}."));
}
