using Microsoft.ML.CoLM.Checkpoints;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    /// <summary>
    /// What loading found odd and passed over, each with its file and setting; empty for a model that was not loaded. Not
    /// stored with the model.
    /// </summary>
    public IReadOnlyList<string> Warnings { get; internal set; } = [];

    /// <summary>
    /// Ids of the tokens that end generation: those of the <c>generation_config.json</c> that the model came with, even where
    /// that names none, else <see cref="CoLMConfig.EosTokenIds"/>. May be empty.
    /// </summary>
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
