using Microsoft.ML.CoLM.Checkpoints;

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
    public IReadOnlyList<int> EndTokenIds => GenerationEndTokenIds ?? Config.EosTokenIds;

    /// <summary>What <c>generation_config.json</c> says; null where there is none.</summary>
    internal IReadOnlyList<int>? GenerationEndTokenIds { get; set; }

    /// <summary>Files beside the tokenizer's that came with the model and are stored with it.</summary>
    internal KeptFiles KeptFiles { get; set; } = KeptFiles.None;

    /// <summary>All files that are stored beside weights and configuration, by name.</summary>
    internal IReadOnlyList<KeyValuePair<string, byte[]>> SideFiles
    {
        get
        {
            var ofTokenizer = TokenizerFiles?.Files ?? [];
            return [.. ofTokenizer, .. KeptFiles.Files.ExceptBy(ofTokenizer.Select(file => file.Key), file => file.Key)];
        }
    }

    /// <summary>Gives this model the files that another came with.</summary>
    private CoLMModel WithFilesOf(CoLMModel other)
    {
        (TokenizerFiles, KeptFiles, GenerationEndTokenIds) = (other.TokenizerFiles, other.KeptFiles, other.GenerationEndTokenIds);
        return this;
    }
}
