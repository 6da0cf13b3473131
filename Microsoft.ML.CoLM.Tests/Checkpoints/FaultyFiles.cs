using Microsoft.ML.CoLM.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>Files whose n-th change fails: once, as on a full disk, or for good, as when the process dies.</summary>
/// <param name="failingChange">Which change fails, counted from 0.</param>
/// <param name="point">When it fails.</param>
/// <param name="isCrash">Whether all changes after it fail as well.</param>
internal sealed class FaultyFiles(int failingChange, FaultyFiles.Point point, bool isCrash) : IFolderFiles
{
    internal enum Point
    {
        Before,
        Within,
        After,
    }

    private bool _hasCrashed;

    /// <summary>How many changes were asked for.</summary>
    public int Changes { get; private set; }

    public void Write(string path, Action<Stream> write) => Change(
        () => DiskFiles.Instance.Write(path, write),
        () => DiskFiles.Instance.Write(path, stream => write(new FullStream(stream, room: 10))));

    public void Replace(string from, string to) => Change(() => DiskFiles.Instance.Replace(from, to));

    public void Delete(string path) => Change(() => DiskFiles.Instance.Delete(path));

    private void Change(Action change, Action? half = null)
    {
        if (_hasCrashed)
            throw new IOException("The process is dead.");
        if (Changes++ != failingChange)
        {
            change();
            return;
        }
        _hasCrashed = isCrash;
        if (point == Point.Within)
            half?.Invoke();
        else if (point == Point.After)
            change();
        throw new IOException("No space left on device.");
    }
}
