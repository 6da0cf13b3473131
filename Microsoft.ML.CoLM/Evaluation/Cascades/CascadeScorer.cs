using Microsoft.ML.CoLM.Chains;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>
/// Scores sequences with few chains, and those whose mean loss is above a threshold with more, computed on top of what
/// is there. Not safe for several threads.
/// </summary>
internal sealed class CascadeScorer
{
    // Features that wait for later chains may take as much memory as the weights do, and this where those are small.
    private const long LeastKeptBytes = 1 << 28;

    private readonly CoLMModel _model;
    private readonly Cascade _cascade;
    private readonly TextWindows _windows;
    private readonly Action? _checkAlive;
    private readonly long[] _featuresComputed;
    private readonly long _tokensKept;

    /// <param name="model">The model.</param>
    /// <param name="cascade">Chain counts that the model has, and the largest mean loss to stop at each.</param>
    /// <param name="keptBytes">
    /// How much memory the features of a group of sequences may take; a sequence that needs more by itself is scored
    /// anew at every count. Null takes as much as the weights do.
    /// </param>
    /// <param name="windows">How long sequences are divided.</param>
    /// <param name="checkAlive">Called before every forward pass; what it throws ends scoring.</param>
    public CascadeScorer(
        CoLMModel model, Cascade cascade, long? keptBytes = null, TextWindows windows = default, Action? checkAlive = null)
    {
        using var use = model.Enter();
        (_model, _cascade, _windows, _checkAlive) = (model, cascade, windows, checkAlive);
        _featuresComputed = new long[model.Config.ChainCount];
        var size = model.DataType.ElementSize();
        var bytes = keptBytes ?? Math.Max(LeastKeptBytes, model.ParameterCount(model.Config.ChainCount) * size);
        _tokensKept = bytes / (size * FeaturesOfAToken(model.Config, cascade.ChainCounts) + LogitBytes(model.Config));
    }

    /// <summary>For each chain, from the first on: how many tokens' features were computed, padding included.</summary>
    public IReadOnlyList<long> FeaturesComputed => _featuresComputed;

    /// <summary>Scores sequences; one without a token to score stops at the first count.</summary>
    /// <param name="sequences">Token ids; those longer than a window are scored window by window.</param>
    public CascadeScore[] Score(IReadOnlyList<IReadOnlyList<int>> sequences)
    {
        using var use = SequenceScorer.Enter(_model, sequences);
        var scores = new CascadeScore[sequences.Count];
        Array.Fill(scores, new CascadeScore(0, _cascade.ChainCounts[0]));

        // Longest first. A sequence's windows stay together, since all of them decide where it stops.
        var rows = Enumerable.Range(0, sequences.Count)
            .Select(i => _windows.Scoring(i, sequences[i].Count, _model.Config).ToArray())
            .Where(windows => windows.Length > 0)
            .OrderByDescending(windows => sequences[windows[0].Sequence].Count)
            .ToArray();
        using var noGradients = no_grad();
        foreach (var batch in TokenBatches.Of(rows, windows => windows[0].TokensRead,
            Math.Min(TokenBatches.TokensAtOnce, _tokensKept), count: windows => windows.Length))
        {
            ScoringWindow[] windows = [.. batch.SelectMany(windows => windows)];
            var length = windows[0].TokensRead;
            if (windows.Length * (long)length <= _tokensKept)
                ScoreTogether(sequences, windows, length, scores);
            else
                ScoreAnew(sequences, windows, scores);
        }
        return scores;
    }

    private void ScoreTogether(
        IReadOnlyList<IReadOnlyList<int>> sequences, ScoringWindow[] windows, int length, CascadeScore[] scores)
    {
        using var scope = NewDisposeScope();
        var batch = new WindowBatch(sequences, windows, length);
        using var stages = new ChainStages(_model, batch.TokenIds(_model.Device), batch.Lengths);
        Tensor? logits = null;                                              // [positions, V], float32
        for (var stage = 0; ; stage++)
        {
            _checkAlive?.Invoke();
            logits = Advance(stages, stage, batch, logits);
            var goingOn = Record(sequences, batch.Positions, logits, stage, scores);
            if (goingOn.Count == 0)
                return;

            long[] kept = Where(windows, window => goingOn.Contains(window.Sequence));
            long[] positions = Where(batch.Positions, position => goingOn.Contains(position.Sequence));
            if (kept.Length == windows.Length)
                continue;
            stages.Take(kept);
            var earlier = logits;
            logits = earlier.index_select(0, tensor(positions, device: _model.Device));
            earlier.Dispose();
            windows = Array.ConvertAll(kept, window => windows[window]);
            batch = new WindowBatch(sequences, windows, length);
        }
    }

    // Makes the logits at a stage of those at the one before, in their memory.
    private Tensor Advance(ChainStages stages, int stage, WindowBatch batch, Tensor? logits)
    {
        using var scope = NewDisposeScope();
        var (chains, features) = stages.Advance(_cascade.ChainCounts[stage], isLast: IsLast(stage));
        Count(chains, (long)stages.Count * batch.Length);
        long[] rows = [.. batch.Positions.Select(position => position.Row)];
        var chosen = features.index_select(0, tensor(rows, device: _model.Device));        // [positions, D]
        var isFirst = logits is null;
        for (var chain = chains.First; chain < chains.End; chain++)
            logits = _model.Head.Next(chosen, chain, logits, chains.First);
        return isFirst ? logits!.MoveToOuterDisposeScope() : logits!;
    }

    /// <summary>Writes down what sequences score at a stage.</summary>
    /// <returns>Those that go on.</returns>
    private HashSet<int> Record(
        IReadOnlyList<IReadOnlyList<int>> sequences, List<WindowPosition> positions, Tensor logits, int stage,
        CascadeScore[] scores)
    {
        var values = SequenceScorer.LogProbabilities(sequences, positions, logits);
        var sums = new Dictionary<int, double>();
        for (var i = 0; i < values.Length; i++)
            sums[positions[i].Sequence] = sums.GetValueOrDefault(positions[i].Sequence) + values[i];
        foreach (var (sequence, sum) in sums)
            scores[sequence] = new CascadeScore(sum, _cascade.ChainCounts[stage]);
        return [.. sums.Keys.Where(sequence => GoesOn(sequences[sequence], sums[sequence], stage))];
    }

    private void ScoreAnew(
        IReadOnlyList<IReadOnlyList<int>> sequences, ScoringWindow[] windows, CascadeScore[] scores)
    {
        var sequence = windows[0].Sequence;
        for (var stage = 0; ; stage++)
        {
            var chainCount = _cascade.ChainCounts[stage];
            Count(new ChainRange(0, chainCount), windows.Sum(window => (long)window.TokensRead));
            var sum = SequenceScorer.Score(_model, [sequences[sequence]], chainCount, _windows, _checkAlive)[0];
            scores[sequence] = new CascadeScore(sum, chainCount);
            if (!GoesOn(sequences[sequence], sum, stage))
                return;
        }
    }

    // A loss that is not a number is not below any threshold.
    private bool GoesOn(IReadOnlyList<int> sequence, double sum, int stage) => !IsLast(stage) &&
        !(-sum / SequenceScorer.ScoredTokens(sequence.Count) <= _cascade.Thresholds[stage]);

    private bool IsLast(int stage) => stage == _cascade.ChainCounts.Count - 1;

    private void Count(ChainRange chains, long tokens)
    {
        for (var chain = chains.First; chain < chains.End; chain++)
            _featuresComputed[chain] += tokens;
    }

    // Of a token's logits, and of their copy where tokens are left out.
    private static long LogitBytes(CoLMConfig config) => 2L * config.VocabularySize * sizeof(float);

    // What is kept of a token for the last count's chains: its features at every site of every layer.
    private static long FeaturesOfAToken(CoLMConfig config, IReadOnlyList<int> chainCounts)
    {
        if (chainCounts.Count == 1)
            return 0;
        var (features, count) = (new FeatureLayout(config), chainCounts[^2]);
        var shared = config.KvSharing ? 2L * features.KeyValues[^1] : 0;
        return config.LayerCount *
            (shared + 2L * features.Hidden[count] + features.Queries[count] + features.Intermediate[count]);
    }

    private static long[] Where<T>(IReadOnlyList<T> items, Func<T, bool> isKept) =>
        [.. Enumerable.Range(0, items.Count).Where(i => isKept(items[i])).Select(i => (long)i)];
}
