using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>What came with a model beside weights and configuration and is stored with it.</summary>
/// <param name="Tokenizer">The tokenizer's files; null for none.</param>
/// <param name="Kept">Files that this library does not use.</param>
/// <param name="GenerationEndTokenIds">What <c>generation_config.json</c> says; null where there is none.</param>
internal sealed record ModelCompanions(
    TokenizerFiles? Tokenizer, KeptFiles Kept, IReadOnlyList<int>? GenerationEndTokenIds)
{
    public static readonly ModelCompanions None = new(Tokenizer: null, KeptFiles.None, GenerationEndTokenIds: null);
}
