namespace Microsoft.ML.CoLM.Modules;

/// <summary>Sequences that begin alike, as a tree: what they share is read once.</summary>
/// <param name="Stem">Tokens that all of them begin with, at least one.</param>
/// <param name="Branches">What each of them goes on with, possibly nothing.</param>
internal sealed record TokenTree(int[] Stem, int[][] Branches)
{
    /// <summary>Tokens of all branches.</summary>
    public int BranchLength { get; } = Branches.Sum(branch => branch.Length);

    /// <summary>The tree of sequences; its stem is empty where they have no beginning in common.</summary>
    public static TokenTree Of(IReadOnlyList<ArraySegment<int>> sequences)
    {
        var first = sequences[0].AsSpan();
        var shared = first.Length;
        foreach (var sequence in sequences)
            shared = Math.Min(shared, first.CommonPrefixLength(sequence.AsSpan()));
        return new(first[..shared].ToArray(), [.. sequences.Select(sequence => sequence[shared..].ToArray())]);
    }
}
