namespace Microsoft.ML.CoLM.Tests;

/// <summary>
/// Reference data beside the repository: <c>../shared</c>, or the folder that the environment variable
/// <c>COLM_SHARED</c> names. A clone of the repository has none, and tests that need it are skipped.
/// </summary>
internal static class SharedData
{
    /// <summary>A folder or file of the reference data; ends the test as inconclusive where it is absent.</summary>
    public static string Folder(params string[] parts)
    {
        var path = PathOf(parts);
        if (!Path.Exists(path))
        {
            Assert.Inconclusive($"The reference data '{path}' is not on this machine. Tests that compare with other " +
                "implementations need the folder 'shared' beside the repository, or COLM_SHARED to name it.");
        }
        return path;
    }

    /// <summary>
    /// Names of a folder's sub-folders for a test's rows: one row without a name where the reference data is absent, since rows
    /// are asked for before a test can end as inconclusive, which it does when it asks for that row's folder.
    /// </summary>
    public static IEnumerable<object[]> Rows(string folder, string pattern) => Directory.Exists(PathOf(folder))
        ? Directory.GetDirectories(PathOf(folder), pattern).Order(StringComparer.Ordinal).Select(path => new object[] { Path.GetFileName(path) })
        : [[""]];

    /// <summary>The folder of the solution.</summary>
    public static string RepositoryRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "CoLM.ML.sln")))
                return folder.FullName;
        }
        return AppContext.BaseDirectory;
    }

    private static string PathOf(params string[] parts) => Path.GetFullPath(Path.Combine(
        [Environment.GetEnvironmentVariable("COLM_SHARED") ?? Path.Combine(RepositoryRoot(), "..", "shared"), .. parts]));
}
