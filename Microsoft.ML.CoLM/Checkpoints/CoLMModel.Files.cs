using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    /// <summary>
    /// Anomalies that loading found and ignored, each with its file and setting: ids outside the vocabulary, a
    /// <c>generation_config.json</c> without an end-of-text id, a head that differs from the embedding although the
    /// configuration ties them. Empty for a model that was not loaded. Not stored with the model.
    /// </summary>
    /// <remarks>
    /// Estimators that load a folder, and transformers loaded from a zip, log them as warnings of the MLContext.
    /// </remarks>
    public IReadOnlyList<string> Warnings { get; internal set => field = new ItemList<string>(value); } = new ItemList<string>([]);

    /// <summary>
    /// The ids of the tokens that end generation: those of the <c>generation_config.json</c> that came with the model, even if
    /// it names none, otherwise <see cref="CoLMConfig.EosTokenIds"/> from <c>config.json</c>. May be empty: generation then
    /// ends only at its limits and stop texts.
    /// </summary>
    /// <remarks>
    /// As in transformers. They are stored with the model, and a grown or tuned model inherits those of its source.
    /// </remarks>
    public IReadOnlyList<int> EndTokenIds =>
        GenerationEndTokenIds is { } ids ? new ItemList<int>(ids) : Config.EosTokenIds;

    /// <summary>The contents of <c>generation_config.json</c>; null if there is none.</summary>
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

    /// <summary>Creates the model's tokenizer.</summary>
    /// <param name="parseSpecialTokens">Whether text that spells a special token is encoded as that token.</param>
    /// <exception cref="InvalidOperationException">The model came without a tokenizer.</exception>
    internal Tokenizer CreateTokenizer(bool parseSpecialTokens = true) =>
        TokenizerFiles?.CreateTokenizer(parseSpecialTokens) ?? throw new InvalidOperationException(
            "The model has no tokenizer: where it was loaded from, there is neither tokenizer.model nor tokenizer.json.");
}
