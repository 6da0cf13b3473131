using System.Text.Json;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>What is left to do once all files of a save are written.</summary>
/// <param name="Suffix">What the temporary files' names end in; no two saves have the same.</param>
/// <param name="Rename">Names to give to the temporary files, in this order.</param>
/// <param name="Delete">Names of old files to delete.</param>
internal sealed record SavePlan(string Suffix, string[] Rename, string[] Delete)
{
    /// <summary>Where a file is until it gets its name.</summary>
    public string Temporary(string folder, string name) => Path.Combine(folder, name + Suffix);

    /// <exception cref="InvalidDataException">The file is no plan, or names a file outside its folder.</exception>
    public static SavePlan Read(string path)
    {
        SavePlan? plan;
        try
        {
            plan = JsonSerializer.Deserialize<SavePlan>(File.ReadAllBytes(path));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: an interrupted save's plan is not valid JSON: {e.Message}", e);
        }
        if (plan is not { Suffix: not null, Rename: not null, Delete: not null }
            || !plan.Suffix.EndsWith(FolderSave.TemporarySuffix, StringComparison.Ordinal)
            || !plan.Rename.Concat(plan.Delete).Append(plan.Suffix).All(name => name is not null && PlainName.Is(name)))
        {
            throw new InvalidDataException($"{path}: an interrupted save's plan must name files of its own folder.");
        }
        return plan;
    }
}
