using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>What is left to do once all files of a save are written.</summary>
/// <param name="Suffix">What the temporary files' names end in; no two saves have the same.</param>
/// <param name="Rename">Names to give to the temporary files, in this order.</param>
/// <param name="Delete">Names of old files to delete, before the first temporary file gets its name.</param>
internal sealed partial record SavePlan(string Suffix, string[] Rename, string[] Delete)
{
    /// <summary>A new save's plan.</summary>
    public static SavePlan Create(IEnumerable<string> rename, IEnumerable<string> delete) =>
        new($".{Guid.NewGuid():N}{UnfinishedFile.Suffix}", [.. rename], [.. delete]);

    /// <summary>Where a file is until it gets its name.</summary>
    public string Temporary(string folder, string name) => Path.Combine(folder, name + Suffix);

    /// <summary>Whether a name is one that some save gives to a temporary file.</summary>
    public static bool IsTemporary(string name)
    {
        var match = TemporaryPattern().Match(name);
        return match.Success && (ModelFiles.IsAny(match.Groups[1].Value) || match.Groups[1].Value == FolderSave.PlanName);
    }

    /// <exception cref="InvalidDataException">The file is no plan, or names files that are not a model's.</exception>
    public static SavePlan Read(string path)
    {
        SavePlan? plan;
        try
        {
            plan = JsonSerializer.Deserialize<SavePlan>(BoundedFile.ReadAllBytes(path, FileLimits.SavePlan));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: an interrupted save's plan is not valid JSON: {e.Message}", e);
        }
        if (plan is not { Suffix: not null, Rename: not null, Delete: not null }
            || !SuffixPattern().IsMatch(plan.Suffix)
            || !plan.Rename.All(ModelFiles.IsAny)
            || !plan.Delete.All(name => ModelFiles.IsAny(name) && name != ModelFiles.Config)
            || plan.Rename.Length == 0
            || plan.Rename.Concat(plan.Delete).CountBy(name => name, StringComparer.OrdinalIgnoreCase)
                .Any(name => name.Value > 1))
        {
            throw new InvalidDataException($"{path}: an interrupted save's plan must name files of a model in its own " +
                "folder, each once. Delete it if no save to this folder was interrupted.");
        }
        return plan;
    }

    [GeneratedRegex(@"^\.[0-9a-f]{32}\" + UnfinishedFile.Suffix + @"\z", RegexOptions.CultureInvariant)]
    private static partial Regex SuffixPattern();

    [GeneratedRegex(@"^(.+)\.[0-9a-f]{32}\" + UnfinishedFile.Suffix + @"\z", RegexOptions.CultureInvariant)]
    private static partial Regex TemporaryPattern();
}
