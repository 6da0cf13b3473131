using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>A model's files, open and checked against its configuration, before its weights are read.</summary>
/// <param name="Config">The configuration of the chains that are loaded.</param>
/// <param name="Weights">Each chain's files.</param>
/// <param name="Tokenizer">The tokenizer's files; null where the folder has none.</param>
/// <param name="Kept">Files that go with the model.</param>
/// <param name="EndTokenIds">What ends generation; null where that is the configuration's.</param>
/// <param name="Warnings">What was found odd and passed over.</param>
/// <param name="Task">The task that the model was tuned for; null where there is none.</param>
internal sealed record OpenModel(
    CoLMConfig Config, IReadOnlyList<(int Chain, WeightFile File)> Weights, TokenizerFiles? Tokenizer, KeptFiles Kept,
    IReadOnlyList<int>? EndTokenIds, IReadOnlyList<string> Warnings, TaskHeadFile? Task) : IDisposable
{
    public void Dispose()
    {
        foreach (var (_, file) in Weights)
            file.Dispose();
        Task?.Dispose();
    }
}
