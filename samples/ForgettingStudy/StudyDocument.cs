using System.Text.Json;

namespace ForgettingStudy;

/// <summary>The file of all runs, so that none is done twice.</summary>
internal sealed class StudyDocument
{
    /// <summary>How everything here is written: one line, since a run has thousands of losses.</summary>
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public List<SavedExpansion> Expansions { get; init; } = [];

    public List<SavedRun> Runs { get; init; } = [];

    /// <summary>Reads the file; an empty document where there is none.</summary>
    /// <exception cref="InvalidDataException">It is another file.</exception>
    public static StudyDocument Load(string path)
    {
        if (!File.Exists(path))
            return new();
        try
        {
            using var content = File.OpenRead(path);
            return JsonSerializer.Deserialize<StudyDocument>(content, Json) ?? new();
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"--json {path} is not a file of this program: {e.Message}", e);
        }
    }

    public void Save(string path) => WholeFile.Write(path, JsonSerializer.Serialize(this, Json));

    /// <summary>The expansion's result; null where it was not made.</summary>
    public ExpansionResult? Find(ExpansionSettings settings) =>
        Expansions.Find(saved => saved.Settings == settings)?.Result;

    /// <summary>The run's result; null where it was not done.</summary>
    public RunResult? Find(RunSettings settings) => Runs.Find(saved => saved.Settings == settings)?.Result;
}
