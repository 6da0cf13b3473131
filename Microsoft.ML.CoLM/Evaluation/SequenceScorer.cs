using Microsoft.ML.CoLM.Chains;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Log-probabilities of token sequences under a model.</summary>
internal static class SequenceScorer
{
    // Bounds memory: inputs, with their padding, of one forward pass, and logits that exist at once.
    private const int InputsAtOnce = 8192;
    private const int LogitsAtOnce = 1 << 23;

    /// <summary>
    /// The natural-log probability of each sequence, summed over every token after the first; 0 where there is none.
    /// </summary>
    /// <param name="model">The model; sequences longer than its context are scored window by window.</param>
    /// <param name="sequences">Token ids.</param>
    /// <param name="chainCount">The chain count to score at.</param>
    /// <returns>One sum for each sequence.</returns>
    public static double[] Score(CoLMModel model, IReadOnlyList<IReadOnlyList<int>> sequences, int chainCount) =>
        [.. Score(model, sequences, new ChainRange(chainCount - 1, chainCount)).Select(scales => scales[0])];

    /// <summary>As <see cref="Score(CoLMModel, IReadOnlyList{IReadOnlyList{int}}, int)"/>, at every chain count.</summary>
    /// <returns>For each sequence, the sum at chain count 1, 2 and so on.</returns>
    public static double[][] ScoreEveryScale(CoLMModel model, IReadOnlyList<IReadOnlyList<int>> sequences) =>
        Score(model, sequences, new ChainRange(0, model.Config.ChainCount));

    /// <summary>Tokens of a sequence that are scored: all after the first.</summary>
    public static int ScoredTokens(int tokenCount) => Math.Max(0, tokenCount - 1);

    private static double[][] Score(
        CoLMModel model, IReadOnlyList<IReadOnlyList<int>> sequences, ChainRange reported)
    {
        model.CheckUsable();
        var sums = new double[sequences.Count][];
        for (var i = 0; i < sums.Length; i++)
        {
            sums[i] = new double[reported.Count];
            foreach (var id in sequences[i])
                model.Config.CheckTokenId(id);
        }

        // Longest first: neighbours are of like length, so little is padded.
        var windows = Enumerable.Range(0, sequences.Count)
            .SelectMany(i => ScoringWindow.Over(i, sequences[i].Count, model.Config.ContextLength))
            .OrderByDescending(window => window.Length)
            .ToArray();
        using var noGradients = no_grad();
        for (var done = 0; done < windows.Length;)
        {
            var count = Math.Clamp(InputsAtOnce / (windows[done].Length - 1), 1, windows.Length - done);
            ScoreWindows(model, sequences, windows.AsSpan(done, count), reported, sums);
            done += count;
        }
        return sums;
    }

    private static void ScoreWindows(
        CoLMModel model, IReadOnlyList<IReadOnlyList<int>> sequences, ReadOnlySpan<ScoringWindow> windows,
        ChainRange reported, double[][] sums)
    {
        using var scope = NewDisposeScope();
        var length = windows[0].Length - 1;
        var inputs = new long[windows.Length * length];
        List<long> rows = [];
        List<long> targets = [];
        List<int> owners = [];
        for (var i = 0; i < windows.Length; i++)
        {
            var window = windows[i];
            var tokens = sequences[window.Sequence];
            for (var t = 0; t < window.Length - 1; t++)
                inputs[i * length + t] = tokens[window.Start + t];
            for (var t = window.ScoredFrom; t < window.Length; t++)
            {
                rows.Add(i * length + t - 1);
                targets.Add(tokens[window.Start + t]);
                owners.Add(window.Sequence);
            }
        }

        // Padding stands behind a sequence's own tokens, which a causal model never looks at.
        var tokenIds = tensor(inputs, [windows.Length, length], device: model.Device);
        var chains = new ChainRange(0, reported.End);
        var features = model.Features(tokenIds, chains);
        var chunk = Math.Max(1, LogitsAtOnce / model.Config.VocabularySize);
        for (var start = 0; start < rows.Count; start += chunk)
        {
            var count = Math.Min(chunk, rows.Count - start);
            AddLogProbabilities(model, features, chains, reported.First,
                rows.GetRange(start, count), targets.GetRange(start, count), owners.GetRange(start, count), sums);
        }
    }

    private static void AddLogProbabilities(
        CoLMModel model, Tensor features, ChainRange chains, int firstScale, List<long> rows, List<long> targets,
        List<int> owners, double[][] sums)
    {
        using var scope = NewDisposeScope();
        var chosen = features.index_select(0, tensor(rows, device: model.Device));     // [scored, D]
        var labels = tensor(targets, device: model.Device);
        var scales = model.Scales(chosen, chains);
        for (var scale = firstScale; scale < scales.Count; scale++)
        {
            var losses = nn.functional.cross_entropy(
                scales[scale].to(float32), labels, reduction: nn.Reduction.None);       // [scored]
            var values = losses.cpu().data<float>();
            for (var i = 0; i < owners.Count; i++)
                sums[owners[i]][scale - firstScale] -= values[i];
        }
    }
}
