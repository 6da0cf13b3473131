using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>The real files of a folder.</summary>
internal sealed class DiskFiles : IFolderFiles
{
    public static DiskFiles Instance { get; } = new();

    // Unbuffered: weights arrive in chunks of megabytes.
    public void Write(string path, Action<Stream> write) => UnfinishedFile.Write(path, write);

    public void Replace(string from, string to) => UnfinishedFile.Finish(from, to);

    public void Delete(string path) => File.Delete(path);
}
