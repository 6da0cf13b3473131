using System.Globalization;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>What it took to generate a text.</summary>
public sealed class GenerationStatistics
{
    internal GenerationStatistics(
        int fullPassCount, int draftedTokenCount, int acceptedTokenCount, IReadOnlyList<int> chainCounts,
        IReadOnlyList<long> keyValuesComputed)
    {
        (FullPassCount, DraftedTokenCount, AcceptedTokenCount) = (fullPassCount, draftedTokenCount, acceptedTokenCount);
        (ChainCounts, KeyValuesComputed) = (ItemList<int>.Over(chainCounts), new ItemList<long>(keyValuesComputed));
    }

    /// <summary>Passes through all chains in use; without speculative decoding one for each token.</summary>
    public int FullPassCount { get; }

    /// <summary>Tokens that the first chain drafted; 0 without speculative decoding.</summary>
    public int DraftedTokenCount { get; }

    /// <summary>Drafted tokens that became part of the result.</summary>
    public int AcceptedTokenCount { get; }

    /// <summary>How many chains computed each token of the result.</summary>
    public IReadOnlyList<int> ChainCounts { get; }

    /// <summary>
    /// For each chain of the model, how many tokens' keys and values were computed, the prompt's and rejected drafts'
    /// included; in a batch, for all of its prompts together.
    /// </summary>
    public IReadOnlyList<long> KeyValuesComputed { get; }

    /// <summary>The part of the drafted tokens that was accepted, from 0 to 1; NaN where none was drafted.</summary>
    public double AcceptanceRate => (double)AcceptedTokenCount / DraftedTokenCount;

    /// <summary>Passes through all chains in use for each token of the result; NaN where there is none.</summary>
    public double PassesPerToken => (double)FullPassCount / ChainCounts.Count;

    /// <summary>All of it in a line.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{ChainCounts.Count} tokens in {FullPassCount} full passes, {AcceptedTokenCount} of {DraftedTokenCount} drafted " +
        $"tokens accepted, chains of the tokens {ChainCounts}, ") +
        $"keys and values computed a chain {KeyValuesComputed}";
}
