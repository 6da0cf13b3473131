using System;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>Copies an ELF library and marks one version it needs as optional (VER_FLG_WEAK) in the copy.</summary>
public sealed class MakeGlibcxxOptional : Task
{
    private const string OptionalVersion = "GLIBCXX_3.4.32";
    private const uint VersionNeedSection = 0x6ffffffe; // SHT_GNU_verneed
    private const byte WeakFlag = 0x2;                  // VER_FLG_WEAK

    private byte[] _file;

    [Required]
    public string Source { get; set; }

    [Required]
    public string Destination { get; set; }

    public override bool Execute()
    {
        try
        {
            _file = File.ReadAllBytes(Source);
            MarkOptional();

            // Written beside its place and then moved, so that an interrupted build leaves no half of a library.
            Directory.CreateDirectory(Path.GetDirectoryName(Destination));
            var temporary = Destination + "." + Guid.NewGuid().ToString("N");
            File.WriteAllBytes(temporary, _file);
            File.Delete(Destination);
            File.Move(temporary, Destination);
        }
        catch (Exception e) when (e is IOException || e is UnauthorizedAccessException || e is FormatException)
        {
            Log.LogError("Cannot make {0} optional in '{1}': {2}", OptionalVersion, Source, e.Message);
        }
        return !Log.HasLoggedErrors;
    }

    private void MarkOptional()
    {
        const uint elf64LittleEndian = 0x464c457f; // followed by class 2 (64 bits) and data 1 (little endian)
        if (UInt32(0) != elf64LittleEndian || UInt16(4) != 0x0102)
            throw new FormatException("it is not a 64-bit little-endian ELF file.");

        long sections = Int64(0x28);
        int sectionSize = UInt16(0x3a);
        int sectionCount = UInt16(0x3c);
        for (var i = 0; i < sectionCount; i++)
        {
            long section = sections + (long)i * sectionSize;
            if (UInt32(section + 4) != VersionNeedSection)
                continue;

            long names = Int64(sections + (long)UInt32(section + 0x28) * sectionSize + 0x18);
            long need = Int64(section + 0x18);
            for (var n = UInt32(section + 0x2c); n > 0; n--, need += UInt32(need + 12))
            {
                long version = need + UInt32(need + 8);
                for (int v = UInt16(need + 2); v > 0; v--, version += UInt32(version + 12))
                {
                    if (IsName(names + UInt32(version + 8), OptionalVersion))
                        _file[version + 4] |= WeakFlag;
                }
            }
        }
    }

    private bool IsName(long offset, string name)
    {
        Check(offset, name.Length + 1);
        return Encoding.ASCII.GetString(_file, (int)offset, name.Length + 1) == name + '\0';
    }

    private ushort UInt16(long offset) => BitConverter.ToUInt16(_file, Check(offset, sizeof(ushort)));

    private uint UInt32(long offset) => BitConverter.ToUInt32(_file, Check(offset, sizeof(uint)));

    private long Int64(long offset) => BitConverter.ToInt64(_file, Check(offset, sizeof(long)));

    private int Check(long offset, int size)
    {
        if (offset < 0 || offset > _file.Length - size)
            throw new FormatException("it refers beyond its end.");
        return (int)offset;
    }
}
