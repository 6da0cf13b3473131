using System.Text.Json;
using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>
/// Replaces several files of a folder at once: whatever happens on the way, the folder holds all of the old files or
/// all of the new ones.
/// </summary>
/// <remarks>
/// Every new file is first written under a temporary name that no other save uses. Then one file, the plan, says which
/// old files to delete and which names to give to the new ones; it appears by a rename, and at that moment the new files
/// become the folder's. Carrying out the plan can be repeated, so whoever opens the folder after a crash finishes what it
/// says. All of this happens under a <see cref="FolderLock"/>.
/// <para>
/// A folder may come from a stranger, and its plan too. So a plan names files of a model only, and deletes none unless
/// all of its new files are there to take their place. Links are never followed: names are given and taken away, and
/// what is written is a new file.
/// </para>
/// </remarks>
internal static class FolderSave
{
    /// <summary>The plan's name.</summary>
    internal const string PlanName = "colm-save.json";

    /// <summary>Writes files into a folder, which is created if it is missing.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="contents">Names of the new files and what writes them, in the order in which they appear.</param>
    /// <param name="stale">Names the old files that go; asked once an interrupted save has been finished.</param>
    /// <param name="files">What changes the files.</param>
    /// <exception cref="IOException">A folder has a name of a model's files, or a file cannot be written.</exception>
    public static void Write(string folder, IReadOnlyList<(string Name, Action<Stream> Write)> contents,
        Func<IEnumerable<string>> stale, IFolderFiles files)
    {
        Directory.CreateDirectory(folder);
        using var held = FolderLock.Take(folder);
        string[] names = [.. contents.Select(content => content.Name)];
        RefuseFolders(folder);
        FinishPlan(folder, files);
        DeleteTemporaries(folder, files);

        var plan = SavePlan.Create(names, stale());
        var planPath = Path.Combine(folder, PlanName);
        try
        {
            foreach (var (name, write) in contents)
                files.Write(plan.Temporary(folder, name), write);
            files.Write(plan.Temporary(folder, PlanName), stream => JsonSerializer.Serialize(stream, plan));
            files.Replace(plan.Temporary(folder, PlanName), planPath);
        }
        catch when (!OrdinaryFile.IsThere(planPath))
        {
            UnfinishedFile.Try(() => DeleteTemporaries(folder, files));
            throw;
        }
        try
        {
            CarryOut(folder, plan, files);
        }
        catch when (IsUntouched(folder, plan))
        {
            UnfinishedFile.Try(() => TakeBack(folder, files));
            throw;
        }
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
    public static bool HasPlan(string folder) => OrdinaryFile.IsThere(Path.Combine(folder, PlanName));

    private static void FinishPlan(string folder, IFolderFiles files)
    {
        var path = Path.Combine(folder, PlanName);
        if (OrdinaryFile.IsThere(path))
            CarryOut(folder, SavePlan.Read(path), files);
    }

    // Old files go while every new one still has its temporary name, which tells afterwards that they are gone.
    private static void CarryOut(string folder, SavePlan plan, IFolderFiles files)
    {
        string[] left = [.. plan.Rename.Where(name => OrdinaryFile.IsThere(plan.Temporary(folder, name)))];
        RefuseFolders(folder);
        if (left.Length == plan.Rename.Length)
        {
            foreach (var name in plan.Delete)
                files.Delete(Path.Combine(folder, name));
        }
        foreach (var name in left)
            files.Replace(plan.Temporary(folder, name), Path.Combine(folder, name));
        files.Delete(Path.Combine(folder, PlanName));
    }

    private static bool IsUntouched(string folder, SavePlan plan) =>
        plan.Rename.All(name => OrdinaryFile.IsThere(plan.Temporary(folder, name)))
        && plan.Delete.All(name => OrdinaryFile.IsThere(Path.Combine(folder, name)));

    // Before anything is changed: a file cannot take the place of a folder, and where none is to, a load would find it.
    private static void RefuseFolders(string folder)
    {
        foreach (var found in new DirectoryInfo(folder).EnumerateDirectories().Where(found => found.LinkTarget is null))
        {
            if (found.Name == PlanName || ModelFiles.IsAny(found.Name))
            {
                throw new IOException($"'{Path.Combine(folder, found.Name)}' is a folder, where a file of the model " +
                    "belongs. Nothing was changed.");
            }
        }
    }

    private static void DeleteTemporaries(string folder, IFolderFiles files)
    {
        foreach (var path in Directory.GetFiles(folder, "*" + UnfinishedFile.Suffix))
        {
            if (SavePlan.IsTemporary(Path.GetFileName(path)))
                files.Delete(path);
        }
    }

    // The old model is whole: without its plan, the save has not been.
    private static void TakeBack(string folder, IFolderFiles files)
    {
        files.Delete(Path.Combine(folder, PlanName));
        DeleteTemporaries(folder, files);
    }
}
