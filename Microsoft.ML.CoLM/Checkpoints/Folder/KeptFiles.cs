using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>
/// Files of a model's folder that go with the model byte for byte, so that other tools see the same model in what is saved:
/// a closed list, since a folder may hold anything. Of these only <c>generation_config.json</c> is looked into.
/// </summary>
/// <remarks>
/// A licence or a README is somebody's text about one folder: it is neither copied to another nor deleted from any. Where a
/// name is the tokenizer's, too, the file is the tokenizer's.
/// </remarks>
internal sealed class KeptFiles
{
    /// <summary>Hugging Face's settings of generation.</summary>
    public const string GenerationConfig = "generation_config.json";

    private static readonly string[] Names =
    [
        GenerationConfig, "added_tokens.json", "special_tokens_map.json", "chat_template.jinja", "chat_template.json",
        "vocab.json", "merges.txt",
    ];

    /// <param name="files">Names, each one that <see cref="IsOne"/>, and bytes.</param>
    public KeptFiles(IReadOnlyList<KeyValuePair<string, byte[]>> files) => Files = files;

    /// <summary>No files.</summary>
    public static KeptFiles None { get; } = new([]);

    /// <summary>The names and bytes of the files.</summary>
    public IReadOnlyList<KeyValuePair<string, byte[]>> Files { get; }

    /// <summary>Whether a name is one of these.</summary>
    public static bool IsOne(string name) => Names.Contains(name);

    /// <summary>The longest that a file may be, in bytes.</summary>
    public static long LimitOf(string name) => name == GenerationConfig ? FileLimits.ConfigJson : FileLimits.KeptFile;

    /// <summary>Reads those files of a folder that are there.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="others">Names that are read otherwise.</param>
    /// <exception cref="InvalidDataException">A file is too long, or no ordinary file.</exception>
    public static KeptFiles Read(string folder, IReadOnlyCollection<string> others) => new([.. Names
        .Where(name => !others.Contains(name) && OrdinaryFile.IsThere(Path.Combine(folder, name)))
        .Select(name => KeyValuePair.Create(
            name, BoundedFile.ReadAllBytes(Path.Combine(folder, name), LimitOf(name))))]);

    /// <summary>The ids that end generation, as the model's maker set them; null where there is no such file.</summary>
    /// <param name="vocabularySize">The model's.</param>
    /// <param name="folder">Where the files are, for messages; empty where that is no folder.</param>
    /// <param name="warnings">Gets what was passed over.</param>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public IReadOnlyList<int>? EndTokenIds(int vocabularySize, string folder, List<string> warnings)
    {
        var content = Files.FirstOrDefault(file => file.Key == GenerationConfig).Value;
        return content is null
            ? null : GenerationJson.ReadEndTokenIds(content, Path.Combine(folder, GenerationConfig), vocabularySize, warnings);
    }
}
