using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>Writes a file that is there as a whole, or not at all: beside its place, and renamed when it is on the disk.</summary>
internal static class WholeFile
{
    private const int BufferLength = 64 << 10;

    // Between its creation and its lock, a file of another process looks like one that was left behind.
    private static readonly TimeSpan Age = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Writes a file, in place of the one that has its name: that one's permissions stay. A link is replaced, and what
    /// it leads to stays as it is.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="write">Gets a stream that can seek.</param>
    /// <exception cref="IOException">
    /// It cannot be written, or a folder, a pipe or a device is in its place. The old file is as it was.
    /// </exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        path = Path.GetFullPath(path);
        var mode = CheckPlace(path);
        // Tidying: a folder that may be written but not listed can be saved to all the same.
        UnfinishedFile.Try(() => DeleteLeftovers(path));
        var temporary = $"{path}.{Path.GetRandomFileName()}{UnfinishedFile.Suffix}";
        try
        {
            UnfinishedFile.Write(temporary, write, BufferLength, mode);
            UnfinishedFile.Finish(temporary, path);
        }
        catch
        {
            UnfinishedFile.Try(() => File.Delete(temporary));
            throw;
        }
    }

    /// <summary>Refuses what is no file, and gives the permissions of what is one; null on Windows, or for a new file.</summary>
    private static UnixFileMode? CheckPlace(string path)
    {
        if (new FileInfo(path).LinkTarget is not null)
            return null;
        if (Directory.Exists(path) || (UnixFile.IsSupported && UnixFile.Describe(path) is { IsOrdinary: false }))
            throw new IOException($"'{path}' must be a file: a folder, a pipe or a device is in its place.");
        return OperatingSystem.IsWindows() || !File.Exists(path) ? null : File.GetUnixFileMode(path);
    }

    /// <summary>Deletes what processes left that were killed while they wrote this file.</summary>
    private static void DeleteLeftovers(string path)
    {
        var (folder, prefix) = (Path.GetDirectoryName(path)!, Path.GetFileName(path) + ".");
        foreach (var name in Directory.EnumerateFiles(folder).Select(file => Path.GetFileName(file)))
        {
            var found = Path.Combine(folder, name);
            if (name.StartsWith(prefix, StringComparison.Ordinal) && name.EndsWith(UnfinishedFile.Suffix, StringComparison.Ordinal)
                && DateTime.UtcNow - File.GetLastWriteTimeUtc(found) > Age && !IsHeld(found))
            {
                UnfinishedFile.Try(() => File.Delete(found));
            }
        }
    }

    private static bool IsHeld(string path)
    {
        if (!UnixFile.IsSupported)
            return false; // Windows deletes nothing that is open
        try
        {
            using var handle = UnixFile.Open(path, mayWrite: false, followLinks: false);
            return !UnixFile.Describe(handle).IsOrdinary || !UnixFile.TryLock(handle);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return true;
        }
    }
}
