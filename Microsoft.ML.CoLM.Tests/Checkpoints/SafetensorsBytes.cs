using System.Buffers.Binary;
using System.Text;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>Safetensors files put together by hand, so that they can be wrong.</summary>
internal static class SafetensorsBytes
{
    /// <summary>A header as given, then that many bytes of data 0, 1, 2 and so on.</summary>
    public static byte[] Of(string header, int dataLength)
    {
        var text = Encoding.UTF8.GetBytes(header);
        var file = new byte[sizeof(ulong) + text.Length + dataLength];
        BinaryPrimitives.WriteUInt64LittleEndian(file, (ulong)text.Length);
        text.CopyTo(file, sizeof(ulong));
        for (var i = 0; i < dataLength; i++)
            file[sizeof(ulong) + text.Length + i] = (byte)i;
        return file;
    }

    /// <summary>Changes one text of a file's header, keeping its data.</summary>
    public static void Edit(string path, string from, string to)
    {
        var file = File.ReadAllBytes(path);
        var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
        var header = Encoding.UTF8.GetString(file, sizeof(ulong), length);
        Assert.Contains(from, header);
        var edited = Encoding.UTF8.GetBytes(header.Replace(from, to, StringComparison.Ordinal));
        var prefix = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)edited.Length);
        File.WriteAllBytes(path, [.. prefix, .. edited, .. file[(sizeof(ulong) + length)..]]);
    }
}
