using System.Buffers;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Byte-pair encoding's rule: of all neighbouring tokens that may be merged, merge the pair of the lowest rank, the
/// leftmost of equals, until none is left. Takes time n log n in the length of a word.
/// </summary>
internal sealed class BytePairMerges
{
    private const int None = -1;
    private const int Removed = int.MinValue;
    private const int StepsBetweenChecks = 1 << 14; // a few milliseconds

    private readonly Dictionary<long, Merge> _merges = [];

    /// <summary>Says that two tokens merge into a third; of two ranks for one pair, the later stays.</summary>
    public void Add(int left, int right, int rank, int merged) => _merges[Key(left, right)] = new(rank, merged);

    /// <summary>Merges the tokens of a word in place.</summary>
    /// <param name="tokens">The word.</param>
    /// <param name="checkAlive">Called every few milliseconds; what it throws ends merging.</param>
    /// <returns>How many tokens are left; they are the first.</returns>
    public int Apply(Span<int> tokens, Action? checkAlive = null)
    {
        if (tokens.Length < 2 || _merges.Count == 0)
            return tokens.Length;

        // The tokens are a linked list over their first positions, so that a merge moves nothing.
        int[] links = ArrayPool<int>.Shared.Rent(2 * tokens.Length);
        Span<int> next = links.AsSpan(0, tokens.Length);
        Span<int> previous = links.AsSpan(tokens.Length, tokens.Length);
        for (var position = 0; position < tokens.Length; position++)
        {
            next[position] = position + 1 < tokens.Length ? position + 1 : None;
            previous[position] = position - 1;
        }
        var candidates = new PriorityQueue<Candidate, long>();
        for (var position = 1; position < tokens.Length; position++)
            Propose(candidates, tokens, position - 1, position);

        for (var step = 1; candidates.TryDequeue(out Candidate candidate, out _); step++)
        {
            if (step % StepsBetweenChecks == 0)
                checkAlive?.Invoke();
            int left = candidate.Position;
            int right = next[left];
            // Either token may have been merged with another neighbour since the pair was proposed.
            if (tokens[left] != candidate.Left || right == None || tokens[right] != candidate.Right)
                continue;
            tokens[left] = candidate.Merged;
            tokens[right] = Removed;
            next[left] = next[right];
            if (next[left] != None)
            {
                previous[next[left]] = left;
                Propose(candidates, tokens, left, next[left]);
            }
            if (previous[left] != None)
                Propose(candidates, tokens, previous[left], left);
        }

        var count = 0;
        for (var position = 0; position != None; position = next[position])
            tokens[count++] = tokens[position];
        ArrayPool<int>.Shared.Return(links);
        return count;
    }

    private void Propose(PriorityQueue<Candidate, long> candidates, ReadOnlySpan<int> tokens, int left, int right)
    {
        if (!_merges.TryGetValue(Key(tokens[left], tokens[right]), out Merge merge))
            return;
        var candidate = new Candidate(left, tokens[left], tokens[right], merge.Merged);
        candidates.Enqueue(candidate, Key(merge.Rank, left));
    }

    private static long Key(int high, int low) => ((long)high << 32) | (uint)low;

    private readonly record struct Merge(int Rank, int Merged);

    private readonly record struct Candidate(int Position, int Left, int Right, int Merged);
}
