using System.Buffers.Binary;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Zips as the version before digests wrote them.</summary>
internal static class OldZips
{
    private const uint Version = 0x00010002;

    // Where ML.NET's header says what a component's entry consists of, and where.
    private const int SettingsBegin = 0x10;
    private const int SettingsLength = 0x18;
    private const int VersionWritten = 0x48;
    private const int VersionReadable = 0x4C;
    private static readonly int[] Behind = [0x20, 0x30, 0x80, 0x88, 0x90];

    // Where the list of digests begins, and the seal.
    private const int TailLength = sizeof(long) + 32;

    /// <summary>Writes a copy of a zip of today without what today's version adds to the settings.</summary>
    public static void Write(string from, string to) => ZipEntries.Change(from, to, "Model.key", Settings);

    private static byte[] Settings(byte[] bytes)
    {
        var begin = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(SettingsBegin));
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(SettingsLength));
        var kept = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(begin + length - TailLength));
        byte[] old = [.. bytes[..(begin + kept)], .. bytes[(begin + length)..]];
        BinaryPrimitives.WriteInt64LittleEndian(old.AsSpan(SettingsLength), kept);
        BinaryPrimitives.WriteUInt32LittleEndian(old.AsSpan(VersionWritten), Version);
        BinaryPrimitives.WriteUInt32LittleEndian(old.AsSpan(VersionReadable), Version);
        foreach (var place in Behind)
        {
            var position = BinaryPrimitives.ReadInt64LittleEndian(old.AsSpan(place));
            BinaryPrimitives.WriteInt64LittleEndian(old.AsSpan(place), position - (length - kept));
        }
        return old;
    }
}
