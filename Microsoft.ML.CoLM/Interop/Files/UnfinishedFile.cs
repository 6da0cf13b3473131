namespace Microsoft.ML.CoLM.Interop;

/// <summary>
/// A file that is not whole yet: it is written beside its place, and gets its name when it is on the disk; one of them, or several at
/// once.
/// </summary>
internal static class UnfinishedFile
{
    /// <summary>What its name ends in.</summary>
    public const string Suffix = ".colm-tmp";

    /// <summary>Writes a new file, and has the system put its data on the disk.</summary>
    /// <param name="path">Its name meanwhile.</param>
    /// <param name="write">Gets a stream that can seek.</param>
    /// <param name="bufferSize">Bytes to gather; 0 for what comes in large pieces.</param>
    /// <param name="mode">Its permissions; null for a new file's usual ones, and on Windows.</param>
    /// <exception cref="IOException">There is something of that name, a file or a link; or it cannot be written.</exception>
    public static void Write(string path, Action<Stream> write, int bufferSize = 0, UnixFileMode? mode = null)
    {
        var options = new FileStreamOptions
        {
            // A file of our own in any case: what has the name already may be a link to somebody's file.
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            BufferSize = bufferSize,
        };
        if (mode is not null && !OperatingSystem.IsWindows())
            options.UnixCreateMode = mode;
        using var file = new FileStream(path, options);
        // Creation leaves out what the process's mask forbids.
        if (mode is { } exact && !OperatingSystem.IsWindows())
            File.SetUnixFileMode(file.SafeFileHandle, exact);
        write(file);
        file.Flush(flushToDisk: true);
    }

    /// <summary>Gives it its name, in place of the file, or of the link, that had it.</summary>
    public static void Finish(string from, string to) => File.Move(from, to, overwrite: true);

    /// <summary>Tidies up as far as that is possible: after a failure, whose own exception is the one to report.</summary>
    public static void Try(Action tidy)
    {
        try
        {
            tidy();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }
}
