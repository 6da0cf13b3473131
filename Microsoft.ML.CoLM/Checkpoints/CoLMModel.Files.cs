using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    /// <summary>
    /// What loading found odd and passed over, each with its file and setting: ids outside the vocabulary, a
    /// <c>generation_config.json</c> that names no end of texts, a head that the configuration says is the embedding and that
    /// is another. Empty for a model that was not loaded. Not stored with the model.
    /// </summary>
    /// <remarks>Estimators that load a folder, and transformers of a zip, say them as warnings of the MLContext's log.</remarks>
    public IReadOnlyList<string> Warnings { get; internal set; } = [];

    /// <summary>
    /// Ids of the tokens that end generation: those of the <c>generation_config.json</c> that the model came with, even where
    /// that names none, else <see cref="CoLMConfig.EosTokenIds"/>, those of <c>config.json</c>. May be empty: generation then
    /// ends at its limits and stop texts alone.
    /// </summary>
    /// <remarks>As in transformers. They are stored with the model, and a grown or tuned model has those of its source.</remarks>
    public IReadOnlyList<int> EndTokenIds =>
        GenerationEndTokenIds is { } ids ? new ItemList<int>(ids) : Config.EosTokenIds;

    /// <summary>What <c>generation_config.json</c> says; null where there is none.</summary>
    internal IReadOnlyList<int>? GenerationEndTokenIds
    {
        get => Own.GenerationEndTokenIds;
        set => Companions = Own with { GenerationEndTokenIds = value };
    }

    /// <summary>The tokenizer's files that came with the model and are stored with it; null for none.</summary>
    internal TokenizerFiles? TokenizerFiles
    {
        get => Own.Tokenizer;
        set => Companions = Own with { Tokenizer = value };
    }

    /// <summary>Files beside the tokenizer's that came with the model and are stored with it.</summary>
    internal KeptFiles KeptFiles
    {
        get => Own.Kept;
        set => Companions = Own with { Kept = value };
    }

    /// <summary>All files that are stored beside weights and configuration, by name.</summary>
    internal IReadOnlyList<KeyValuePair<string, byte[]>> SideFiles
    {
        get
        {
            var ofTokenizer = TokenizerFiles?.Files ?? [];
            return [.. ofTokenizer, .. KeptFiles.Files.ExceptBy(ofTokenizer.Select(file => file.Key), file => file.Key)];
        }
    }

    private ModelCompanions Own => (ModelCompanions?)Companions ?? ModelCompanions.None;

    /// <summary>Makes the model's tokenizer.</summary>
    /// <param name="parseSpecialTokens">Whether text that spells a special token means that token.</param>
    /// <exception cref="InvalidOperationException">The model came without one.</exception>
    internal Tokenizer CreateTokenizer(bool parseSpecialTokens = true) =>
        TokenizerFiles?.CreateTokenizer(parseSpecialTokens) ?? throw new InvalidOperationException(
            "The model has no tokenizer: where it was loaded from, there is neither tokenizer.model nor tokenizer.json.");
}
