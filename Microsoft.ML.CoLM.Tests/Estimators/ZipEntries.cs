using System.IO.Compression;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>The entries of a zip, read and changed.</summary>
internal static class ZipEntries
{
    /// <summary>Where ML.NET puts the entries of the transformer that was saved.</summary>
    public const string Component = "TransformerChain/";

    /// <summary>Every entry's name and bytes; names with forward slashes.</summary>
    public static SortedDictionary<string, byte[]> Read(string path)
    {
        using var zip = ZipFile.OpenRead(path);
        var entries = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var entry in zip.Entries)
        {
            using var content = entry.Open();
            using var copy = new MemoryStream();
            content.CopyTo(copy);
            entries.Add(entry.FullName.Replace('\\', '/'), copy.ToArray());
        }
        return entries;
    }

    /// <summary>Writes a copy of a zip with one of the component's entries changed, or left out where null.</summary>
    public static void Change(
        string from, string to, string name, Func<byte[], byte[]?> change, CompressionLevel level = CompressionLevel.Fastest)
    {
        using var source = ZipFile.OpenRead(from);
        using var target = ZipFile.Open(to, ZipArchiveMode.Create);
        var found = false;
        foreach (var entry in source.Entries)
        {
            using var content = entry.Open();
            using var copy = new MemoryStream();
            content.CopyTo(copy);
            var bytes = copy.ToArray();
            if (entry.FullName.Replace('\\', '/') == Component + name)
            {
                found = true;
                if (change(bytes) is not { } changed)
                    continue;
                bytes = changed;
            }
            using var written = target.CreateEntry(entry.FullName, level).Open();
            written.Write(bytes);
        }
        Assert.IsTrue(found, name);
    }
}
