namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>A folder for one test, deleted after it.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private const string Memory = "/dev/shm";
    private const long Plenty = 4L << 30; // bytes

    // In memory where there is plenty: for the thousands of small files that tests flush, a disk takes more time than all else.
    private static readonly string Parent =
        Directory.Exists(Memory) && new DriveInfo(Memory).AvailableFreeSpace > Plenty ? Memory : System.IO.Path.GetTempPath();

    public TemporaryFolder() => Directory.CreateDirectory(Path);

    public string Path { get; } = System.IO.Path.Combine(Parent, $"colm-test-{Guid.NewGuid():N}");

    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>Every file's name and bytes.</summary>
    public static SortedDictionary<string, byte[]> Contents(string folder)
    {
        var contents = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var file in Directory.GetFiles(folder))
            contents.Add(System.IO.Path.GetFileName(file), File.ReadAllBytes(file));
        return contents;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
