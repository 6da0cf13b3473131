using System.Text.Json;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>
/// Replaces several files of a folder at once: whatever happens on the way, the folder holds all of the old files or
/// all of the new ones.
/// </summary>
/// <remarks>
/// Every new file is first written under a temporary name that no other save uses. Then one file, the plan, says which
/// names to give them and which old files to delete; it appears by a rename, and at that moment the new files become the
/// folder's. Carrying out the plan can be repeated, so whoever opens the folder after a crash finishes what it says. All
/// of this happens under a <see cref="FolderLock"/>.
/// </remarks>
internal static class FolderSave
{
    /// <summary>Ends the names of files that are being written.</summary>
    internal const string TemporarySuffix = ".colm-tmp";

    /// <summary>The plan's name.</summary>
    internal const string PlanName = "colm-save.json";

    /// <summary>Writes files into a folder, which is created if it is missing.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="contents">Names of the new files and what writes them, in the order in which they appear.</param>
    /// <param name="stale">Names the old files that go; asked once an interrupted save has been finished.</param>
    /// <param name="files">What changes the files.</param>
    public static void Write(string folder, IReadOnlyList<(string Name, Action<Stream> Write)> contents,
        Func<IEnumerable<string>> stale, IFolderFiles files)
    {
        Directory.CreateDirectory(folder);
        using var held = FolderLock.Take(folder);
        FinishPlan(folder, files);
        DeleteTemporaries(folder, files);

        var plan = new SavePlan(
            $".{Guid.NewGuid():N}{TemporarySuffix}", [.. contents.Select(content => content.Name)], [.. stale()]);
        var planPath = Path.Combine(folder, PlanName);
        try
        {
            foreach (var (name, write) in contents)
                files.Write(plan.Temporary(folder, name), write);
            files.Write(plan.Temporary(folder, PlanName), stream => JsonSerializer.Serialize(stream, plan));
            files.Replace(plan.Temporary(folder, PlanName), planPath);
        }
        catch when (!File.Exists(planPath))
        {
            TryDeleteTemporaries(folder, files);
            throw;
        }
        CarryOut(folder, plan, files);
    }

    /// <summary>
    /// Finishes a save that was interrupted after its files were complete; usually there is none, and nothing is
    /// written. Waits for one that is not interrupted.
    /// </summary>
    /// <exception cref="InvalidDataException">The plan of the interrupted save is damaged.</exception>
    /// <exception cref="IOException">There is one to finish, and the folder cannot be written.</exception>
    public static void Finish(string folder, IFolderFiles files)
    {
        if (!HasPlan(folder))
            return;
        try
        {
            using var held = FolderLock.Take(folder, () => HasPlan(folder));
            if (held is not null)
                FinishPlan(folder, files);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"A save to the model folder '{folder}' was interrupted, and what is left of it " +
                $"could not be done: {e.Message}", e);
        }
    }

    /// <summary>Whether a save's files are complete, but do not have their names yet.</summary>
    public static bool HasPlan(string folder) => File.Exists(Path.Combine(folder, PlanName));

    private static void FinishPlan(string folder, IFolderFiles files)
    {
        var path = Path.Combine(folder, PlanName);
        if (File.Exists(path))
            CarryOut(folder, SavePlan.Read(path), files);
    }

    private static void CarryOut(string folder, SavePlan plan, IFolderFiles files)
    {
        foreach (var name in plan.Rename)
        {
            // Missing where an earlier attempt came further than this file.
            if (File.Exists(plan.Temporary(folder, name)))
                files.Replace(plan.Temporary(folder, name), Path.Combine(folder, name));
        }
        foreach (var name in plan.Delete)
            files.Delete(Path.Combine(folder, name));
        files.Delete(Path.Combine(folder, PlanName));
    }

    private static void DeleteTemporaries(string folder, IFolderFiles files)
    {
        foreach (var path in Directory.GetFiles(folder, "*" + TemporarySuffix))
            files.Delete(path);
    }

    // After a failure, whose own exception is the one to report.
    private static void TryDeleteTemporaries(string folder, IFolderFiles files)
    {
        try
        {
            DeleteTemporaries(folder, files);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }
}
