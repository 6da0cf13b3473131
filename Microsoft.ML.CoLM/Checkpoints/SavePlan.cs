using System.Text.Json;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>What is left to do once all files of a save are written.</summary>
/// <param name="Rename">Names to give to the temporary files, in this order.</param>
/// <param name="Delete">Names of old files to delete.</param>
internal sealed record SavePlan(string[] Rename, string[] Delete)
{
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
        if (plan is not { Rename: not null, Delete: not null }
            || !plan.Rename.Concat(plan.Delete).All(name => name is not null && PlainName.Is(name)))
        {
            throw new InvalidDataException($"{path}: an interrupted save's plan must name files of its own folder.");
        }
        return plan;
    }
}
