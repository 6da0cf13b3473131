using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    /// <summary>The tokenizer's files that came with the model and are stored with it; null for none.</summary>
    internal TokenizerFiles? TokenizerFiles { get; set; }

    /// <summary>Makes the model's tokenizer.</summary>
    /// <param name="parseSpecialTokens">Whether text that spells a special token means that token.</param>
    /// <exception cref="InvalidOperationException">The model came without one.</exception>
    internal Tokenizer CreateTokenizer(bool parseSpecialTokens = true) => TokenizerFiles?.CreateTokenizer(parseSpecialTokens) ?? throw new InvalidOperationException(
        "The model has no tokenizer: where it was loaded from, there is neither tokenizer.model nor tokenizer.json.");
}
