using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>
/// Trees beside each other: each is its stem, padded to the longest, and its branches one behind the other, padded too. A
/// branch's tokens read the stem and their own branch, and have the positions that they would have behind the stem alone.
/// </summary>
internal sealed class TreeBatch : IDisposable
{
    // Of many branches, as in `choices --choices 64`, each is read with few others: what they do not read of each other is
    // worked on all the same.
    private const int BranchTokensAtOnce = 256;

    // Elements of a mask, as in AttentionFunction.
    private const int MaskAtOnce = 1 << 24;

    private readonly IReadOnlyList<TokenTree> _trees;
    private readonly int[][] _branchStarts;
    private readonly long[] _ids;
    private readonly long[] _positions;

    // [trees, length]: where the branch of a token begins; a token of a stem or of the padding is its own.
    private readonly long[] _begins;
    private Tensor? _wholeMask;

    /// <param name="trees">At least one.</param>
    public TreeBatch(IReadOnlyList<TokenTree> trees)
    {
        _trees = trees;
        StemLength = trees.Max(tree => tree.Stem.Length);
        Length = StemLength + trees.Max(tree => tree.BranchLength);
        _branchStarts = new int[trees.Count][];
        (_ids, _positions, _begins) = (New(), New(), New());
        for (var i = 0; i < trees.Count; i++)
            Place(i);

        long[] New() => new long[(long)trees.Count * Length];
    }

    /// <summary>Number of trees.</summary>
    public int Count => _trees.Count;

    /// <summary>Tokens of a stem, with padding.</summary>
    public int StemLength { get; }

    /// <summary>Tokens of a tree, with padding.</summary>
    public int Length { get; }

    /// <summary>The number of positions that tokens have.</summary>
    public int PositionCount { get; private set; }

    /// <summary>[trees · length], Int64.</summary>
    public Tensor TokenIds(Device device) => tensor(_ids, device: device);

    /// <summary>[trees · length], Int64: each token's position in its sequence.</summary>
    public Tensor Positions(Device device) => tensor(_positions, device: device);

    /// <summary>The row of a token's features among the batch's.</summary>
    /// <param name="tree">The tree.</param>
    /// <param name="branch">The branch, which with the stem is a sequence.</param>
    /// <param name="position">Where the token is in the sequence.</param>
    public long Row(int tree, int branch, int position)
    {
        var stem = _trees[tree].Stem.Length;
        return tree * (long)Length + (position < stem ? position : _branchStarts[tree][branch] + position - stem);
    }

    /// <summary>How many tokens of branches attention works on at once.</summary>
    /// <param name="groups">Trees times KV heads.</param>
    public int TokensAtOnce(long groups)
    {
        var all = Length - StemLength;
        return all <= BranchTokensAtOnce && groups * all * Length <= MaskAtOnce
            ? all
            : (int)Math.Clamp(MaskAtOnce / (groups * Length), 1, BranchTokensAtOnce);
    }

    /// <summary>The first token of branches that one of some tokens of branches reads.</summary>
    /// <param name="start">The first of these, counted in a tree.</param>
    public int FirstRead(int start)
    {
        var first = start;
        for (var tree = 0; tree < Count; tree++)
            first = Math.Min(first, (int)_begins[tree * (long)Length + start]);
        return first;
    }

    /// <summary>What some tokens of branches read.</summary>
    /// <param name="start">The first of them, counted in a tree.</param>
    /// <param name="count">How many.</param>
    /// <param name="groups">Trees times KV heads.</param>
    /// <param name="like">A tensor of the model's type and device.</param>
    /// <returns>
    /// [groups, 1, count, keys]: zero, or minus infinity where a key is not read, of the stem and of the branches' tokens from
    /// <see cref="FirstRead"/> to the last of these.
    /// </returns>
    public Tensor Mask(int start, int count, long groups, Tensor like)
    {
        if (count < Length - StemLength)
            return NewMask(start, count, groups, like);
        // Every layer asks for it.
        return (_wholeMask ??= NewMask(start, count, groups, like).DetachFromDisposeScope()).alias();
    }

    public void Dispose() => _wholeMask?.Dispose();

    private void Place(int tree)
    {
        var (stem, branches) = (_trees[tree].Stem, _trees[tree].Branches);
        var first = tree * (long)Length;
        for (var t = 0; t < Length; t++)
            _begins[first + t] = t;
        for (var t = 0; t < stem.Length; t++)
            (_ids[first + t], _positions[first + t]) = (stem[t], t);
        var starts = _branchStarts[tree] = new int[branches.Length];
        var next = StemLength;
        for (var branch = 0; branch < branches.Length; branch++)
        {
            starts[branch] = next;
            for (var t = 0; t < branches[branch].Length; t++, next++)
            {
                (_ids[first + next], _positions[first + next]) = (branches[branch][t], stem.Length + t);
                _begins[first + next] = starts[branch];
            }
            PositionCount = Math.Max(PositionCount, stem.Length + branches[branch].Length);
        }
    }

    private Tensor NewMask(int start, int count, long groups, Tensor like)
    {
        using var scope = NewDisposeScope();
        var device = like.device;
        var (firstRead, end) = (FirstRead(start), start + count);
        var stems = tensor(_trees.Select(tree => (long)tree.Stem.Length).ToArray(), [Count, 1, 1], device: device);
        var begins = tensor(_begins, [Count, Length], device: device).narrow(1, start, count).unsqueeze(2);
        var stemKeys = Range(0, StemLength);
        var branchKeys = Range(firstRead, end);
        var ofStem = stemKeys.lt(stems).expand(Count, count, StemLength);
        var ofBranch = branchKeys.ge(begins).logical_and(branchKeys.le(Range(start, end).view(1, count, 1)));
        var isRead = cat([ofStem, ofBranch], dim: 2);                                  // [trees, count, keys]
        using var nothing = double.NegativeInfinity.ToScalar();
        return zeros(isRead.shape, dtype: like.dtype, device: device).masked_fill(isRead.logical_not(), nothing)
            .repeat_interleave(groups / Count, dim: 0).unsqueeze(1).MoveToOuterDisposeScope();

        Tensor Range(long first, long last)
        {
            using Scalar from = first.ToScalar(), to = last.ToScalar();
            return arange(from, to, Scalars.One, dtype: int64, device: device).view(1, 1, -1);
        }
    }
}
