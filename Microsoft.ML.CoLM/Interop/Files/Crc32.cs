namespace Microsoft.ML.CoLM.Interop;

/// <summary>The checksum of zip archives, which .NET writes and does not compare.</summary>
internal static class Crc32
{
    private const uint Polynomial = 0xEDB88320;

    private static readonly uint[] Table = [.. Enumerable.Range(0, 256).Select(OfByte)];

    /// <summary>The checksum of what is left of a stream, and how many bytes that is.</summary>
    public static (uint Checksum, long Length) Of(Stream stream)
    {
        var buffer = new byte[64 << 10];
        var (checksum, length) = (~0u, 0L);
        for (int read; (read = stream.Read(buffer)) > 0; length += read)
        {
            foreach (var value in buffer.AsSpan(0, read))
                checksum = Table[(byte)(checksum ^ value)] ^ (checksum >> 8);
        }
        return (~checksum, length);
    }

    private static uint OfByte(int value)
    {
        var remainder = (uint)value;
        for (var bit = 0; bit < 8; bit++)
            remainder = (remainder & 1) != 0 ? (remainder >> 1) ^ Polynomial : remainder >> 1;
        return remainder;
    }
}
