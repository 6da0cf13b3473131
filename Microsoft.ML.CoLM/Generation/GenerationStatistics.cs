namespace Microsoft.ML.CoLM;

/// <summary>What it took to generate a text.</summary>
/// <param name="FullPassCount">
/// Passes through all chains in use; without speculative decoding one for each token.
/// </param>
/// <param name="DraftedTokenCount">Tokens that the first chain drafted; 0 without speculative decoding.</param>
/// <param name="AcceptedTokenCount">Drafted tokens that became part of the result.</param>
/// <param name="ChainCounts">How many chains computed each token of the result.</param>
/// <param name="KeyValuesComputed">
/// For each chain of the model, how many tokens' keys and values were computed, the prompt's and rejected drafts'
/// included; in a batch, for all of its prompts together.
/// </param>
public sealed record GenerationStatistics(
    int FullPassCount, int DraftedTokenCount, int AcceptedTokenCount, IReadOnlyList<int> ChainCounts,
    IReadOnlyList<long> KeyValuesComputed)
{
    /// <summary>The part of the drafted tokens that was accepted, from 0 to 1; NaN where none was drafted.</summary>
    public double AcceptanceRate => (double)AcceptedTokenCount / DraftedTokenCount;

    /// <summary>Passes through all chains in use for each token of the result; NaN where there is none.</summary>
    public double PassesPerToken => (double)FullPassCount / ChainCounts.Count;
}
