using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Log-probabilities of the choices of items; what choices of an item share is computed once.</summary>
internal static class ChoiceScorer
{
    // Sharing is worth it where it saves so much of all tokens: those of the branches also read what they do not use. A quarter,
    // as in `choices --model stories260K --tokens 20 --choices 2 --length 20`, saves an eighth of the time.
    private const double LeastShare = 0.2;

    /// <summary>The natural-log probability of each choice, summed over its tokens.</summary>
    /// <param name="model">The model.</param>
    /// <param name="items">For each item, the choices behind their contexts, at most one token more than the model's context.</param>
    /// <param name="chainCount">The chain count to score at.</param>
    /// <param name="checkAlive">Called before every forward pass; what it throws ends scoring.</param>
    /// <param name="leastShare">Choices are computed apart where sharing saves less of their tokens.</param>
    /// <returns>For each item, a sum for each choice; the same for choices that are.</returns>
    public static double[][] Score(
        CoLMModel model, IReadOnlyList<CompletionTokens[]> items, int chainCount, Action? checkAlive = null,
        double leastShare = LeastShare)
    {
        List<CompletionTokens> sequences = [];
        var places = new int[items.Count][];
        List<(int First, TokenTree Tree)> trees = [];
        List<int> alone = [];
        for (var i = 0; i < items.Count; i++)
        {
            var first = sequences.Count;
            places[i] = Place(items[i], sequences);
            var own = sequences.GetRange(first, sequences.Count - first);
            var tree = TokenTree.Of([.. own.Select(one => new ArraySegment<int>(one.Ids, 0, one.Ids.Length - 1))]);
            var longest = tree.Stem.Length + tree.Branches.Max(branch => branch.Length);
            // Where angles depend on a sequence's length, its beginning is not that of another one.
            if (IsWorthIt(tree, leastShare) && !model.Rotary.DependOnLength(longest))
                trees.Add((first, tree));
            else
                alone.AddRange(Enumerable.Range(first, own.Count));
        }
        var sums = new double[sequences.Count];
        int[][] ids = [.. sequences.Select(one => one.Ids)];
        int[] starts = [.. sequences.Select(one => Math.Max(1, one.ResponseStart))];
        ScoreAlone(model, ids, starts, alone, chainCount, sums, checkAlive);
        ScoreTrees(model, ids, starts, trees, chainCount, sums, checkAlive);
        return Array.ConvertAll(places, own => Array.ConvertAll(own, place => sums[place]));
    }

    /// <summary>Appends the sequences of an item that differ, and says where each is.</summary>
    private static int[] Place(CompletionTokens[] choices, List<CompletionTokens> sequences)
    {
        var known = new Dictionary<CompletionTokens, int>(SameTokens.Comparer);
        return Array.ConvertAll(choices, choice =>
        {
            if (known.TryAdd(choice, sequences.Count))
                sequences.Add(choice);
            return known[choice];
        });
    }

    private static bool IsWorthIt(TokenTree tree, double leastShare)
    {
        var saved = (tree.Branches.Length - 1) * (long)tree.Stem.Length;
        return saved > 0 && saved >= leastShare * (saved + tree.Stem.Length + tree.BranchLength);
    }

    private static void ScoreAlone(
        CoLMModel model, int[][] ids, int[] starts, List<int> chosen, int chainCount, double[] sums, Action? checkAlive)
    {
        var scored = SequenceScorer.ScoreEnds(model, [.. chosen.Select(i => ids[i])], [.. chosen.Select(i => starts[i])],
            new ChainRange(chainCount - 1, chainCount), WholeSequences(model.Config), checkAlive);
        for (var i = 0; i < scored.Length; i++)
            sums[chosen[i]] = scored[i][0];
    }

    // The last token is predicted and not read: one window holds one more than the context.
    private static TextWindows WholeSequences(CoLMConfig config) =>
        new(Math.Min(config.ContextLength, int.MaxValue - 1) + 1, Stride: null);

    private static void ScoreTrees(
        CoLMModel model, int[][] ids, int[] starts, List<(int First, TokenTree Tree)> trees, int chainCount, double[] sums,
        Action? checkAlive)
    {
        using var use = SequenceScorer.Enter(model, ids);
        (int First, TokenTree Tree)[] longestFirst =
            [.. trees.OrderByDescending(item => item.Tree.Stem.Length).ThenByDescending(item => item.Tree.BranchLength)];
        double[][] own = [.. sums.Select(_ => new double[1])];
        using var noGradients = no_grad();
        foreach (var together in TokenBatches.Of(longestFirst, item => item.Tree.Stem.Length, model.TokensAtOnce,
            branch: item => item.Tree.BranchLength))
        {
            checkAlive?.Invoke();
            using var scope = NewDisposeScope();
            using var batch = new TreeBatch([.. together.Select(item => item.Tree)]);
            SequenceScorer.Add(model, ids, model.TreeFeatures(batch, chainCount), Positions(batch, together, ids, starts),
                new ChainRange(chainCount - 1, chainCount), own);
            foreach (var (first, tree) in together)
            {
                for (var i = first; i < first + tree.Branches.Length; i++)
                    sums[i] = own[i][0];
            }
        }
    }

    private static List<WindowPosition> Positions(
        TreeBatch batch, (int First, TokenTree Tree)[] trees, int[][] ids, int[] starts)
    {
        List<WindowPosition> positions = [];
        for (var tree = 0; tree < trees.Length; tree++)
        {
            for (var branch = 0; branch < trees[tree].Tree.Branches.Length; branch++)
            {
                var sequence = trees[tree].First + branch;
                for (var next = starts[sequence]; next < ids[sequence].Length; next++)
                    positions.Add(new(batch.Row(tree, branch, next - 1), sequence, next));
            }
        }
        return positions;
    }
}
