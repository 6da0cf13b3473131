using Microsoft.ML.CoLM.Chains;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// A few sequences that are being generated: their KV cache, and what the chains computed for the newest tokens.
/// </summary>
/// <remarks>
/// A row's results are the same whichever rows are run beside it, and whether its chains are run in one range or in several:
/// to the bit but in <see cref="ModuleSession"/>. Not safe for several threads.
/// </remarks>
internal interface IDecodingSession : IDisposable
{
    /// <summary>Rows that can be held at once.</summary>
    int SlotCount { get; }

    /// <summary>
    /// For each chain, from the first on: how many tokens' keys and values were computed; with KV sharing only the
    /// first chain has any.
    /// </summary>
    IReadOnlyList<long> KeyValuesComputed { get; }

    /// <summary>For each chain, from the first on: how many tokens' features were computed.</summary>
    IReadOnlyList<long> FeaturesComputed { get; }

    /// <summary>Tokens of a sequence that the first chain has cached.</summary>
    int Length(int sequence);

    /// <summary>
    /// Appends tokens to a sequence's cache, at the first chains; computes no logits, and leaves what slots held undefined.
    /// </summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="tokens">Token ids; they and those before must fit the session's capacity.</param>
    /// <param name="chainCount">The chains in use; with KV sharing only the first is computed.</param>
    /// <param name="length">
    /// Tokens of the sequence that these are a part of, where more follow at once; null where they end it.
    /// <see cref="DynamicRopeScaling"/> depends on it.
    /// </param>
    /// <param name="cancellation">Ends the work between chunks of tokens; the cache then holds whole chunks.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    void Prefill(
        int sequence, ReadOnlySpan<int> tokens, int chainCount, int? length = null, CancellationToken cancellation = default);

    /// <summary>
    /// Runs a range of chains for some rows and caches their keys and values. Row i works in slot
    /// <paramref name="firstSlot"/> + i.
    /// </summary>
    /// <param name="rows">
    /// Rows of one sequence stand beside each other. A range that begins with the first chain appends: positions are each
    /// sequence's length, then one more, and so on.
    /// A range that begins later goes on from what the chains before it left in the same slots, for the same rows.
    /// </param>
    /// <param name="firstSlot">The first row's slot.</param>
    /// <param name="chains">The chains to compute.</param>
    void Run(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains);

    /// <summary>[V], the next token's logits at the scale that the slot was last run to; valid until it is run again, or a prompt is.</summary>
    ReadOnlySpan<float> Logits(int slot);

    /// <summary>
    /// Finds the most probable next tokens of some slots where the logits are, so that these need not be copied; false where
    /// <see cref="Logits"/> copies nothing.
    /// </summary>
    /// <param name="firstSlot">The first slot.</param>
    /// <param name="found">One for each slot from there on.</param>
    bool TryFindLargest(int firstSlot, Span<LargestLogit> found) => false;

    /// <summary>
    /// As <see cref="TryFindLargest"/>, the tokens of the largest logits: all that reach the least of the so many largest among
    /// the maxima of blocks, which are at least so many. False also where there are fewer blocks.
    /// </summary>
    /// <param name="firstSlot">The first slot.</param>
    /// <param name="slotCount">How many slots.</param>
    /// <param name="count">How many tokens of each at least.</param>
    /// <param name="blockLength">Tokens of a block.</param>
    /// <param name="found">What was found.</param>
    bool TryFindCandidates(int firstSlot, int slotCount, int count, int blockLength, LogitCandidates found) => false;

    /// <summary>Forgets a sequence's tokens from a length on.</summary>
    void Trim(int sequence, int length);

    /// <summary>
    /// Computes the keys and values that later chains lack for tokens that were run through fewer; with KV sharing there
    /// is nothing to do. To be called before a sequence is run at more chains than its tokens were.
    /// </summary>
    void Grow(int sequence, int chainCount);
}
