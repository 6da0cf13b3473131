using System.Globalization;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>The work done to generate a text.</summary>
public sealed class GenerationStatistics
{
    internal GenerationStatistics(
        int fullPassCount, int draftedTokenCount, int acceptedTokenCount, IReadOnlyList<int> chainCounts,
        IReadOnlyList<long> keyValuesComputed)
    {
        (FullPassCount, DraftedTokenCount, AcceptedTokenCount) = (fullPassCount, draftedTokenCount, acceptedTokenCount);
        (ChainCounts, KeyValuesComputed) = (ItemList<int>.Over(chainCounts), new ItemList<long>(keyValuesComputed));
    }

    /// <summary>The number of passes through all chains in use; one per token without speculative decoding.</summary>
    public int FullPassCount { get; }

    /// <summary>The number of tokens that the first chain drafted; 0 without speculative decoding.</summary>
    public int DraftedTokenCount { get; }

    /// <summary>The number of drafted tokens that became part of the result.</summary>
    public int AcceptedTokenCount { get; }

    /// <summary>The number of chains that computed each token of the result.</summary>
    public IReadOnlyList<int> ChainCounts { get; }

    /// <summary>
    /// For each chain of the model, the number of tokens whose keys and values were computed, including the prompt's and
    /// rejected drafts'; in a batch, for all of its prompts together.
    /// </summary>
    public IReadOnlyList<long> KeyValuesComputed { get; }

    /// <summary>The share of drafted tokens that were accepted, from 0 to 1; NaN if none were drafted.</summary>
    public double AcceptanceRate => (double)AcceptedTokenCount / DraftedTokenCount;

    /// <summary>Passes through all chains in use per token of the result; NaN if there are no tokens.</summary>
    public double PassesPerToken => (double)FullPassCount / ChainCounts.Count;

    /// <summary>Returns the statistics in one line.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{ChainCounts.Count} tokens in {FullPassCount} full passes, {AcceptedTokenCount} of {DraftedTokenCount} drafted " +
        $"tokens accepted, chains of the tokens {ChainCounts}, ") +
        $"keys and values computed a chain {KeyValuesComputed}";
}
