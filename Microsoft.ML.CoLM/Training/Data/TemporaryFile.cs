namespace Microsoft.ML.CoLM.Training;

/// <summary>A file that nobody else can read and that vanishes when it is closed, or when the process ends.</summary>
internal static class TemporaryFile
{
    /// <summary>Creates one.</summary>
    /// <param name="folder">Where; it is created if it is missing.</param>
    /// <param name="what">Part of its name.</param>
    /// <param name="size">Bytes to reserve on the disk, so that none of them can fail to be written later.</param>
    /// <exception cref="IOException">The disk is full, or the folder cannot be created.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written.</exception>
    public static FileStream Create(string folder, string what, long size = 0)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, $"colm-{what}-{Guid.NewGuid():N}");
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            BufferSize = 1 << 16,
            PreallocationSize = size,
        };
        if (OperatingSystem.IsWindows())
        {
            options.Options = FileOptions.DeleteOnClose;
            return new FileStream(path, options);
        }

        // Where an open file needs no name, it loses it at once: then nothing that ends the process leaves the file.
        options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var file = new FileStream(path, options);
        File.Delete(path);
        return file;
    }
}
