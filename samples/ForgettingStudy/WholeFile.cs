namespace ForgettingStudy;

/// <summary>Writes files beside their place and then moves them there, so that an interruption leaves the old one.</summary>
internal static class WholeFile
{
    private const string Unfinished = ".tmp";

    public static void Write(string path, string content)
    {
        File.WriteAllText(path + Unfinished, content);
        File.Move(path + Unfinished, path, overwrite: true);
    }

    /// <summary>Finds out before the work, not after it, whether a file can be written.</summary>
    /// <exception cref="IOException">The path is a folder's, or cannot be written to.</exception>
    public static void Check(string option, string path)
    {
        if (Directory.Exists(path))
            throw new IOException($"{option} must name a file, found the folder {path}.");
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        File.Create(path + Unfinished).Dispose();
        File.Delete(path + Unfinished);
    }
}
