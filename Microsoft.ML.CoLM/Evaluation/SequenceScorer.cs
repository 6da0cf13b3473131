using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Log-probabilities of token sequences under a model.</summary>
internal static class SequenceScorer
{
    // Bounds memory: logits that exist at once, 32 MiB in float32.
    private const int LogitsAtOnce = 1 << 23;

    // Of fewer positions, reading a head's weights takes as long as multiplying them: for these there are more, 256 MiB at most.
    private const int PositionsThatPay = 512;
    private const int MostLogitsAtOnce = 1 << 26;

    /// <summary>
    /// The natural-log probability of each sequence, summed over every token after the first; 0 where there is none.
    /// </summary>
    /// <param name="model">The model; sequences longer than its context are scored window by window.</param>
    /// <param name="sequences">Token ids.</param>
    /// <param name="chainCount">The chain count to score at.</param>
    /// <param name="windows">How long sequences are divided.</param>
    /// <param name="checkAlive">Called before every forward pass; what it throws ends scoring.</param>
    /// <returns>One sum for each sequence.</returns>
    public static double[] Score(
        CoLMModel model, IReadOnlyList<IReadOnlyList<int>> sequences, int chainCount, TextWindows windows = default,
        Action? checkAlive = null) =>
        [.. Score(model, sequences, new ChainRange(chainCount - 1, chainCount), windows, firstScored: null, checkAlive, BatchShare.All)
            .Select(scales => scales[0])];

    /// <summary>The same at every chain count.</summary>
    /// <returns>For each sequence, the sum at chain count 1, 2 and so on.</returns>
    public static double[][] ScoreEveryScale(
        CoLMModel model, IReadOnlyList<IReadOnlyList<int>> sequences, TextWindows windows = default,
        Action? checkAlive = null, BatchShare? share = null) => Score(
            model, sequences, new ChainRange(0, model.Config.ChainCount), windows, firstScored: null, checkAlive, share ?? BatchShare.All);

    /// <summary>The natural-log probability of the end of each sequence, at some chain counts.</summary>
    /// <param name="model">The model; sequences longer than its context are scored window by window.</param>
    /// <param name="sequences">Token ids.</param>
    /// <param name="firstScored">For each sequence, the first token that is scored, at least 1.</param>
    /// <param name="reported">The scales to report: scale 1 is chain 0.</param>
    /// <param name="windows">How long sequences are divided.</param>
    /// <param name="checkAlive">Called before every forward pass; what it throws ends scoring.</param>
    /// <param name="share">Which batches are computed here; null for all.</param>
    /// <returns>For each sequence, the sum at each reported scale.</returns>
    public static double[][] ScoreEnds(
        CoLMModel model, IReadOnlyList<IReadOnlyList<int>> sequences, IReadOnlyList<int> firstScored,
        ChainRange reported, TextWindows windows = default, Action? checkAlive = null, BatchShare? share = null) =>
        Score(model, sequences, reported, windows, firstScored, checkAlive, share ?? BatchShare.All);

    /// <summary>Tokens of a sequence that are scored: all after the first.</summary>
    public static int ScoredTokens(int tokenCount) => Math.Max(0, tokenCount - 1);

    /// <summary>Begins a use of a model, for sequences whose tokens it must have.</summary>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public static Lifetime.Use Enter(CoLMModel model, IReadOnlyList<IReadOnlyList<int>> sequences)
    {
        model.CheckUsable();
        foreach (var sequence in sequences)
        {
            foreach (var id in sequence)
                model.Config.CheckTokenId(id);
        }
        return model.Enter();
    }

    /// <summary>The natural-log probability of some tokens, each after those before it.</summary>
    /// <param name="sequences">Token ids.</param>
    /// <param name="positions">Where the tokens are.</param>
    /// <param name="logits">[positions, V].</param>
    public static float[] LogProbabilities(
        IReadOnlyList<IReadOnlyList<int>> sequences, IReadOnlyList<WindowPosition> positions, Tensor logits)
    {
        if (LogSoftmaxKernel.Suits(logits))
        {
            return LogSoftmaxKernel.Of(
                logits, [.. positions.Select(position => sequences[position.Sequence][position.Next])]);
        }
        var values = new float[positions.Count];
        var chunk = PositionsAtOnce((int)logits.size(1));
        for (var start = 0; start < values.Length; start += chunk)
        {
            using var scope = NewDisposeScope();
            var targets = new long[Math.Min(chunk, values.Length - start)];
            for (var i = 0; i < targets.Length; i++)
                targets[i] = sequences[positions[start + i].Sequence][positions[start + i].Next];
            var losses = nn.functional.cross_entropy(logits.narrow(0, start, targets.Length).to(float32),
                tensor(targets, device: logits.device), reduction: nn.Reduction.None).cpu().data<float>();
            for (var i = 0; i < targets.Length; i++)
                values[start + i] = -losses[i];
        }
        return values;
    }

    private static double[][] Score(
        CoLMModel model, IReadOnlyList<IReadOnlyList<int>> sequences, ChainRange reported, TextWindows lengths,
        IReadOnlyList<int>? firstScored, Action? checkAlive, BatchShare share)
    {
        using var use = Enter(model, sequences);
        var windows = Enumerable.Range(0, sequences.Count)
            .SelectMany(i => lengths.Scoring(i, sequences[i].Count, model.Config)
                .Select(window => window.From(firstScored?[i] ?? 1)))
            .Where(window => window.ScoredFrom < window.Length);
        using var noGradients = no_grad();
        ScoringWindow[][] batches = [.. TokenBatches.LongestFirst(windows, window => window.TokensRead)];
        var numbers = share.Compute(batches, batch => SequencesOf(batch).Count * reported.Count, Compute);

        // A batch's sums come before those of its sequences, so that they are the same wherever batches are computed.
        double[][] sums = [.. sequences.Select(_ => new double[reported.Count])];
        foreach (var (batch, own) in batches.Zip(numbers))
        {
            foreach (var (sequence, place) in SequencesOf(batch))
            {
                for (var scale = 0; scale < reported.Count; scale++)
                    sums[sequence][scale] += own[place * reported.Count + scale];
            }
        }
        return sums;

        double[] Compute(ScoringWindow[] batch)
        {
            checkAlive?.Invoke();
            return [.. Sums(model, sequences, batch, reported).SelectMany(own => own)];
        }
    }

    /// <summary>The sequences of a batch's windows, and the place of each among them.</summary>
    private static Dictionary<int, int> SequencesOf(ScoringWindow[] batch) =>
        batch.Select(window => window.Sequence).Distinct().Index().ToDictionary(entry => entry.Item, entry => entry.Index);

    private static double[][] Sums(
        CoLMModel model, IReadOnlyList<IReadOnlyList<int>> sequences, ScoringWindow[] windows, ChainRange reported)
    {
        using var scope = NewDisposeScope();
        var places = SequencesOf(windows);
        int[] chosen = [.. places.OrderBy(entry => entry.Value).Select(entry => entry.Key)];
        IReadOnlyList<int>[] own = Array.ConvertAll(chosen, sequence => sequences[sequence]);
        var batch = new WindowBatch(own, Array.ConvertAll(windows, window => window with { Sequence = places[window.Sequence] }));
        double[][] sums = [.. own.Select(_ => new double[reported.Count])];
        var features = model.Features(
            batch.TokenIds(model.Device), new ChainRange(0, reported.End), lengths: batch.Lengths);
        Add(model, own, features, batch.Positions, reported, sums);
        return sums;
    }

    /// <summary>Adds the natural-log probabilities of tokens to the sums of their sequences.</summary>
    /// <param name="model">The model.</param>
    /// <param name="sequences">Token ids.</param>
    /// <param name="features">[rows, D], normalised: a forward pass's.</param>
    /// <param name="scored">Where the tokens are, and in which row the features that predict each.</param>
    /// <param name="reported">The scales to add: scale 1 is chain 0.</param>
    /// <param name="sums">For each sequence, the sum at each reported scale.</param>
    public static void Add(
        CoLMModel model, IReadOnlyList<IReadOnlyList<int>> sequences, Tensor features, List<WindowPosition> scored,
        ChainRange reported, double[][] sums)
    {
        var chunk = PositionsAtOnce(model.Config.VocabularySize);
        for (var start = 0; start < scored.Count; start += chunk)
        {
            using var part = NewDisposeScope();
            var positions = scored.GetRange(start, Math.Min(chunk, scored.Count - start));
            long[] rows = [.. positions.Select(position => position.Row)];
            var chosen = features.index_select(0, tensor(rows, device: model.Device));      // [positions, D]
            Tensor? logits = null;                                                          // [positions, V]
            for (var scale = 0; scale < reported.End; scale++)
            {
                logits = model.Head.Next(chosen, scale, logits);
                if (scale < reported.First)
                    continue;
                var values = LogProbabilities(sequences, positions, logits);
                for (var i = 0; i < values.Length; i++)
                    sums[positions[i].Sequence][scale - reported.First] += values[i];
            }
        }
    }

    private static int PositionsAtOnce(int vocabularySize) => Math.Max(1, Math.Max(
        LogitsAtOnce / vocabularySize, Math.Min(PositionsThatPay, MostLogitsAtOnce / vocabularySize)));
}
