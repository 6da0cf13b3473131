namespace Microsoft.ML.CoLM.Interop;

/// <summary>Opens files that are to be read, and nothing else that may be found under a file's name.</summary>
internal static class OrdinaryFile
{
    /// <summary>
    /// Opens a file to be read from its beginning. Links are followed, but not to what never ends or never answers.
    /// </summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="DirectoryNotFoundException">A folder on the way to it is missing.</exception>
    /// <exception cref="InvalidDataException">It is a folder, a pipe, a socket or a device.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static FileStream OpenRead(string path)
    {
        try
        {
            return UnixFile.IsSupported ? OpenOnUnix(path)
                : !Directory.Exists(path) ? new FileStream(
                    path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0)
                : throw Refuse(path);
        }
        catch (FileNotFoundException e) when (new FileInfo(path).LinkTarget is { } target)
        {
            throw new FileNotFoundException($"{path}: is a link to '{target}', which is missing.", path, e);
        }
    }

    /// <summary>Whether a name is taken: by a file, a folder, a link that may lead nowhere, or anything else.</summary>
    public static bool IsThere(string path) => Path.Exists(path) || new FileInfo(path).LinkTarget is not null;

    internal static InvalidDataException Refuse(string path) =>
        new($"{path}: a folder, a pipe or a device is in the place of a file.");

    private static FileStream OpenOnUnix(string path)
    {
        // Without waiting: to open a pipe that nobody writes to would take for ever.
        var handle = UnixFile.Open(path, mayWrite: false, followLinks: true);
        try
        {
            return UnixFile.Describe(handle).IsOrdinary ? new FileStream(handle, FileAccess.Read, bufferSize: 0)
                : throw Refuse(path);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }
}
