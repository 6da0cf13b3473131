using System.Text;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>Reads Hugging Face's <c>generation_config.json</c>: where generation ends; its other settings are left to callers.</summary>
/// <remarks>
/// As in transformers: where the file is there, it alone decides. One that names no end leaves generation without, whatever
/// <c>config.json</c> says; a warning tells.
/// </remarks>
internal static class GenerationJson
{
    private const string EndTokens = "eos_token_id";

    /// <param name="content">The file.</param>
    /// <param name="source">Its name, for messages.</param>
    /// <param name="vocabularySize">The model's.</param>
    /// <param name="warnings">Gets what was passed over.</param>
    /// <returns>The ids; none where the file names none.</returns>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static IReadOnlyList<int> ReadEndTokenIds(byte[] content, string source, int vocabularySize, List<string> warnings)
    {
        using var text = new StreamReader(new MemoryStream(content), Encoding.UTF8);
        using var document = ConfigJson.Parse(text.ReadToEnd(), source);
        var settings = JsonField.Settings(document.RootElement, source);
        var ids = settings[EndTokens].IntegersOrNull ?? [];
        if (ids.Length == 0)
            warnings.Add($"{source}: \"{EndTokens}\" names no token: generation ends at its limits alone.");
        return settings[EndTokens].WithinVocabulary(ids, vocabularySize, warnings);
    }
}
