using System.Diagnostics;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>What one process, and one thread of it, holds while it changes a folder: an open file.</summary>
/// <remarks>A process that dies lets go of it; the file that it leaves behind hinders nobody.</remarks>
internal sealed class FolderLock : IDisposable
{
    /// <summary>The file's name.</summary>
    internal const string FileName = "colm-save.lock";

    // What the system answers when another handle holds a file: Windows, Linux, macOS.
    private static readonly int[] SharingViolations = [unchecked((int)0x80070020), 11, 35];

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private readonly FileStream _file;

    private FolderLock(FileStream file) => _file = file;

    /// <summary>Takes the lock, after a short wait where somebody else has it.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="isNeeded">Asked before every try; null for always.</param>
    /// <returns>Null as soon as the lock is not needed any more.</returns>
    /// <exception cref="IOException">Somebody else had it for too long.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written.</exception>
    public static FolderLock? Take(string folder, Func<bool>? isNeeded = null)
    {
        for (var clock = Stopwatch.StartNew(); isNeeded?.Invoke() != false; Thread.Sleep(Pause))
        {
            try
            {
                if (TryTake(folder) is { } taken)
                    return taken;
            }
            catch (UnauthorizedAccessException) when (isNeeded is not null && clock.Elapsed < Patience)
            {
                // Who may write here can be about to do what the lock is needed for.
            }
            if (clock.Elapsed > Patience)
            {
                throw new IOException($"The folder '{folder}' is being saved to by somebody else, who holds " +
                    $"'{FileName}' in it. Try again when that is done.");
            }
        }
        return null;
    }

    public void Dispose()
    {
        try
        {
            // Before it is let go of: afterwards the name may be another one's.
            if (!OperatingSystem.IsWindows())
                File.Delete(_file.Name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What was done under the lock is done.
        }
        finally
        {
            _file.Dispose();
        }
    }

    private static FolderLock? TryTake(string folder)
    {
        var path = Path.Combine(folder, FileName);
        FileStream file;
        try
        {
            file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0,
                OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None);
        }
        catch (IOException e) when (SharingViolations.Contains(e.HResult))
        {
            return null;
        }
        if (OperatingSystem.IsWindows() || IsAt(path, file))
            return new FolderLock(file);
        file.Dispose();
        return null;
    }

    // On Unix, whoever had it may have deleted it after it was opened here and before it was locked, and somebody else
    // may have made another one. A length that nobody else chose tells the two apart.
    private static bool IsAt(string path, FileStream file)
    {
        var mark = Random.Shared.Next(1, 1 << 20);
        file.SetLength(mark);
        var found = new FileInfo(path);
        return found.Exists && found.Length == mark;
    }
}
