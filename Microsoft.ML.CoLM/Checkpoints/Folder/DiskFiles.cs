namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>The real files of a folder.</summary>
internal sealed class DiskFiles : IFolderFiles
{
    public static DiskFiles Instance { get; } = new();

    public void Write(string path, Action<Stream> write)
    {
        // A file of our own in any case: what has the name already may be a link to somebody's file.
        // Unbuffered: weights arrive in chunks of megabytes.
        using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        write(stream);
        stream.Flush(flushToDisk: true);
    }

    public void Replace(string from, string to) => File.Move(from, to, overwrite: true);

    public void Delete(string path) => File.Delete(path);
}
