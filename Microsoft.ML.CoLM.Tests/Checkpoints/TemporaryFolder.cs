namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>A folder for one test, deleted after it.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("colm-test-").FullName;

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
