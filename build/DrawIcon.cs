using System;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>
/// Draws the package's icon: three chain counts as blocks, each with the smaller ones in it, of the widths in README's diagram.
/// </summary>
public sealed class DrawIcon : Task
{
    private const int Size = 128;
    private const int SamplesPerSide = 4; // of a pixel, for smooth corners
    private const double Gap = 5;
    private const double Radius = 14;

    // From the largest to the smallest: the side's share of the whole, and red, green and blue.
    private static readonly (double Side, byte[] Colour)[] Blocks =
    {
        (13 / 13.0, new byte[] { 0xb9, 0xd4, 0xf6 }),
        (10 / 13.0, new byte[] { 0x4f, 0x8f, 0xe0 }),
        (6 / 13.0, new byte[] { 0x17, 0x3f, 0x8a }),
    };

    private static readonly uint[] CrcTable = Enumerable.Range(0, 256).Select(n =>
    {
        var c = (uint)n;
        for (var bit = 0; bit < 8; bit++)
            c = (c & 1) != 0 ? 0xedb88320 ^ (c >> 1) : c >> 1;
        return c;
    }).ToArray();

    [Required]
    public string Destination { get; set; }

    public override bool Execute()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Destination));
        File.WriteAllBytes(Destination, Png());
        return true;
    }

    /// <summary>The red, green, blue and opacity of a pixel.</summary>
    private static byte[] Pixel(int x, int y)
    {
        var sum = new int[4];
        for (var sample = 0; sample < SamplesPerSide * SamplesPerSide; sample++)
        {
            var across = x + (sample % SamplesPerSide + 0.5) / SamplesPerSide;
            var down = y + (sample / SamplesPerSide + 0.5) / SamplesPerSide;
            if (ColourAt(across, down) is byte[] colour)
            {
                for (var i = 0; i < 3; i++)
                    sum[i] += colour[i];
                sum[3]++;
            }
        }
        var pixel = new byte[4];
        for (var i = 0; i < 3 && sum[3] > 0; i++)
            pixel[i] = (byte)(sum[i] / sum[3]);
        pixel[3] = (byte)(255 * sum[3] / (SamplesPerSide * SamplesPerSide));
        return pixel;
    }

    /// <summary>The colour of the smallest block there; null where there is none, as in the gaps around blocks.</summary>
    private static byte[] ColourAt(double across, double down)
    {
        byte[] colour = null;
        foreach (var block in Blocks)
        {
            // All blocks stand in the lower left corner.
            var (side, up) = (block.Side * Size, Size - down);
            if (colour != null && IsInside(across, up, side + Gap))
                colour = null;
            if (IsInside(across, up, side))
                colour = block.Colour;
        }
        return colour;
    }

    private static bool IsInside(double across, double up, double side)
    {
        var (x, y) = (Beyond(across, side), Beyond(up, side));
        return x * x + y * y <= Radius * Radius && x <= Radius && y <= Radius;
    }

    /// <summary>How far a place is from the part of a side that is not rounded.</summary>
    private static double Beyond(double place, double side) =>
        Math.Max(0, Math.Max(Radius - place, place - (side - Radius)));

    private static byte[] Png()
    {
        using (var png = new MemoryStream())
        {
            png.Write(new byte[] { 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a }, 0, 8);
            byte[] kind = { 8, 6, 0, 0, 0 }; // 8 bits each of red, green, blue and opacity
            WriteChunk(png, "IHDR", BigEndian(Size).Concat(BigEndian(Size)).Concat(kind).ToArray());
            WriteChunk(png, "IDAT", Compressed(Enumerable.Range(0, Size).SelectMany(Row).ToArray()));
            WriteChunk(png, "IEND", new byte[0]);
            return png.ToArray();
        }
    }

    // A row begins with its filter, of which it has none.
    private static byte[] Row(int y) =>
        new byte[] { 0 }.Concat(Enumerable.Range(0, Size).SelectMany(x => Pixel(x, y))).ToArray();

    /// <summary>As zlib writes it (RFC 1950).</summary>
    private static byte[] Compressed(byte[] data)
    {
        using (var compressed = new MemoryStream())
        {
            compressed.Write(new byte[] { 0x78, 0x01 }, 0, 2);
            using (var deflate = new DeflateStream(compressed, CompressionLevel.Optimal, leaveOpen: true))
                deflate.Write(data, 0, data.Length);
            uint a = 1, b = 0;
            foreach (var value in data)
            {
                a = (a + value) % 65521;
                b = (b + a) % 65521;
            }
            compressed.Write(BigEndian(b << 16 | a), 0, 4);
            return compressed.ToArray();
        }
    }

    private static void WriteChunk(Stream png, string name, byte[] data)
    {
        var chunk = Encoding.ASCII.GetBytes(name).Concat(data).ToArray();
        var crc = chunk.Aggregate(uint.MaxValue, (c, value) => CrcTable[(c ^ value) & 0xff] ^ (c >> 8));
        png.Write(BigEndian((uint)data.Length), 0, 4);
        png.Write(chunk, 0, chunk.Length);
        png.Write(BigEndian(~crc), 0, 4);
    }

    private static byte[] BigEndian(uint value) =>
        new[] { (byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value };
}
