using System.IO.Compression;
using System.Runtime.CompilerServices;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>The zip archive behind ML.NET's readers and writers of models.</summary>
/// <remarks>
/// ML.NET itself takes every entry through a file in the temporary folder, which everybody may read and which stays
/// there when the process is killed. Weights go straight from the archive and into it.
/// </remarks>
internal static class ModelArchive
{
    /// <summary>An entry in a component's own folder; null where there is none.</summary>
    public static ZipArchiveEntry? Find(ModelLoadContext context, string name)
    {
        var path = Path.Combine(context.Directory ?? "", name);
        var entries = Entries(context.Repository);
        // By the rule of ML.NET's own reader: zips of old have backslashes, and of equal names the last one counts.
        return entries.GetValueOrDefault(path) ?? entries.GetValueOrDefault(path.Replace('/', '\\'));
    }

    /// <summary>Writes an entry into a component's own folder, with no copy elsewhere.</summary>
    public static void Write(ModelSaveContext context, string name, Action<Stream> write)
    {
        var path = Path.Combine(context.Directory ?? "", name);
        if (!Paths(context.Repository).TryAdd(path, null))
            throw new ArgumentException($"The model's zip has an entry '{path}' already.", nameof(name));
        // An archive is written one entry after the other; those that ML.NET has closed come first.
        Flush(context.Repository);
        using var stream = Archive(context.Repository).CreateEntry(path).Open();
        write(stream);
    }

    /// <summary>The entries that are written.</summary>
    public static IEnumerable<string> Names(RepositoryWriter repository) => Paths(repository).Keys;

    /// <summary>Lets nobody else into the folder that ML.NET puts its entries into on their way.</summary>
    public static void MakePrivate(Repository repository)
    {
        if (!OperatingSystem.IsWindows() && TemporaryFolder(repository) is { } folder)
            File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_entries")]
    private static extern ref Dictionary<string, ZipArchiveEntry> Entries(RepositoryReader reader);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_archive")]
    private static extern ref ZipArchive Archive(RepositoryWriter writer);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "Flush")]
    private static extern void Flush(RepositoryWriter writer);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "PathMap")]
    private static extern ref System.Collections.Concurrent.ConcurrentDictionary<string, string?> Paths(Repository repository);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "DirTemp")]
    private static extern ref string? TemporaryFolder(Repository repository);
}
