using System.Diagnostics;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>What one process, and one thread of it, holds while it changes a folder: an open file.</summary>
/// <remarks>
/// A process that dies lets go of it; the file that it leaves behind hinders nobody. Whatever has the file's name already
/// is neither written to nor resized; if it is a link, it is not followed, and there is no lock.
/// </remarks>
internal sealed class FolderLock : IDisposable
{
    /// <summary>The file's name.</summary>
    internal const string FileName = "colm-save.lock";

    // What Windows answers when another handle holds a file, and Linux and macOS.
    private static readonly int[] SharingViolations = [unchecked((int)0x80070020), 11, 35];

    private const int FileExists = 17; // EEXIST

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private readonly string _path;
    private readonly IDisposable _file;
    private readonly UnixFileDescription? _description;

    private FolderLock(string path, IDisposable file, UnixFileDescription? description) =>
        (_path, _file, _description) = (path, file, description);

    /// <summary>Takes the lock, after a short wait where somebody else has it.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="isNeeded">Asked before every try; null for always.</param>
    /// <returns>Null as soon as the lock is not needed any more.</returns>
    /// <exception cref="IOException">Somebody else had it for too long, or the name is a link's or a folder's.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written.</exception>
    public static FolderLock? Take(string folder, Func<bool>? isNeeded = null)
    {
        for (var clock = Stopwatch.StartNew(); isNeeded?.Invoke() != false; Thread.Sleep(Pause))
        {
            try
            {
                if (TryTake(Path.Combine(folder, FileName)) is { } taken)
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
            if (_description is { } mine && mine.IsSameAs(UnixFile.Describe(_path)))
                File.Delete(_path);
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

    private static FolderLock? TryTake(string path) =>
        UnixFile.IsSupported ? TryTakeOnUnix(path) : TryTakeElsewhere(path);

    private static FolderLock? TryTakeOnUnix(string path)
    {
        try
        {
            if (UnixFile.Describe(path) is not { } found)
                new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite).Dispose();
            else if (!found.IsOrdinary)
                throw Refuse(path);

            var file = UnixFile.Open(path, mayWrite: true, followLinks: false);
            try
            {
                // Whoever had it may have deleted it after it was opened here and before it was locked, and somebody else
                // may have made another one.
                var description = UnixFile.Describe(file);
                if (description.IsOrdinary && UnixFile.TryLock(file) && description.IsSameAs(UnixFile.Describe(path)))
                    return new FolderLock(path, file, description);
                file.Dispose();
                return null;
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }
        catch (IOException e) when (e is FileNotFoundException || e.HResult == FileExists || SharingViolations.Contains(e.HResult))
        {
            return null; // another one was quicker
        }
    }

    // The file goes with its handle, even if the process dies.
    private static FolderLock? TryTakeElsewhere(string path)
    {
        if (new FileInfo(path).LinkTarget is not null)
            throw Refuse(path);
        try
        {
            return new FolderLock(path, new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None,
                bufferSize: 0, FileOptions.DeleteOnClose), description: null);
        }
        catch (IOException e) when (SharingViolations.Contains(e.HResult))
        {
            return null;
        }
    }

    private static IOException Refuse(string path) => new($"'{path}' is a link, or no file. While a folder is changed a " +
        "file of that name is locked in it: delete what is there.");
}
