using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tests.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Evaluation;

[TestClass, DoNotParallelize]
public sealed class CascadeScorerTests
{
    private const double Tolerance = 2e-5;

    public static IEnumerable<object[]> Cascades { get; } =
        from layout in new[] { "4,4", "4,2,6", "4,8,4,2" }
        from kvSharing in new[] { false, true }
        from tied in new[] { false, true }
        from everyCount in new[] { false, true }
        select new object[] { layout, kvSharing, tied, everyCount };

    [TestMethod]
    [DynamicData(nameof(Cascades))]
    public void EachSequenceHasTheScoreOfTheCountAtWhichItsLossIsLowEnough(
        string layout, bool kvSharing, bool tied, bool everyCount)
    {
        var config = ChainCausalityTests.Config(layout, 2, kvSharing, tied) with { ContextLength = 32 };
        using var model = TestModels.Random(config);
        var sequences = Sequences(model, 40, maximum: 100);
        int[] counts = everyCount
            ? [.. Enumerable.Range(1, config.Layout.ChainCount)] : [1, config.Layout.ChainCount];
        var every = SequenceScorer.ScoreEveryScale(model, sequences);
        var cascade = Halving(sequences, every, counts);
        var scores = new CascadeScorer(model, cascade).Score(sequences);
        for (var i = 0; i < sequences.Length; i++)
        {
            Assert.AreEqual(ExpectedCount(sequences[i], every[i], cascade), scores[i].ChainsUsed, $"sequence {i}");
            AreClose(every[i][scores[i].ChainsUsed - 1], scores[i].LogProbability);
        }
        CollectionAssert.AreEquivalent(counts, scores.Select(score => score.ChainsUsed).Distinct().ToArray());
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void ChainsThatWereComputedAreNotComputedAgain(bool kvSharing)
    {
        using var model = TestModels.Random(TestModels.Config(4, 2, 6) with { KvSharing = kvSharing });
        const int Length = 20;
        var sequences = Sequences(model, 30, minimum: Length + 1, maximum: Length + 1);
        var every = SequenceScorer.ScoreEveryScale(model, sequences);
        var scorer = new CascadeScorer(model, Halving(sequences, every, [1, 2, 3]));
        var used = scorer.Score(sequences).Select(score => score.ChainsUsed).ToArray();
        long[] expected = [.. Enumerable.Range(1, 3)
            .Select(chain => Length * (long)used.Count(count => count >= chain))];
        CollectionAssert.AreEqual(expected, scorer.FeaturesComputed.ToArray());
        Assert.IsTrue(expected is [> 0, > 0, > 0] && expected[0] > expected[1] && expected[1] > expected[2]);
    }

    [TestMethod]
    public void AllWindowsOfALongSequenceDecideAndGoOnTogether()
    {
        using var model = TestModels.Random(TestModels.Config(4, 4) with { ContextLength = 16, KvSharing = true });
        var sequences = Sequences(model, 1, minimum: 41, maximum: 41);
        var every = SequenceScorer.ScoreEveryScale(model, sequences)[0];
        var loss = -every[0] / 40;
        var windows = ScoringWindow.Over(0, 41, 16).ToArray();
        Assert.HasCount(5, windows);
        foreach (var (threshold, count) in ((double, int)[])[(loss + 1e-3, 1), (loss - 1e-3, 2)])
        {
            var scorer = new CascadeScorer(model, new Cascade([1, 2], [threshold]));
            var score = scorer.Score(sequences)[0];
            Assert.AreEqual(count, score.ChainsUsed);
            AreClose(every[count - 1], score.LogProbability);
            var computed = windows.Length * 15L;
            CollectionAssert.AreEqual(new[] { computed, count == 2 ? computed : 0 }, scorer.FeaturesComputed.ToArray());
        }
    }

    [TestMethod]
    [DataRow(double.PositiveInfinity, 1)]
    [DataRow(-1.0, 3)]
    [DataRow(double.NegativeInfinity, 3)]
    public void AThresholdMayStopAllSequencesOrNone(double threshold, int count)
    {
        using var model = TestModels.Random(TestModels.Config(4, 2, 4));
        var sequences = Sequences(model, 20, minimum: 2, maximum: 100);
        var scores = new CascadeScorer(model, new Cascade([1, 3], [threshold])).Score(sequences);
        var expected = SequenceScorer.Score(model, sequences, count);
        Assert.IsTrue(Array.TrueForAll(scores, score => score.ChainsUsed == count));
        for (var i = 0; i < scores.Length; i++)
            AreClose(expected[i], scores[i].LogProbability);
    }

    [TestMethod]
    public void OneCountIsACascadeToo()
    {
        using var model = TestModels.Random(TestModels.Config(4, 2, 4));
        var sequences = Sequences(model, 5, minimum: 2, maximum: 50);
        var scores = new CascadeScorer(model, new Cascade([2], [])).Score(sequences);
        var expected = SequenceScorer.Score(model, sequences, 2);
        for (var i = 0; i < scores.Length; i++)
        {
            Assert.AreEqual(2, scores[i].ChainsUsed);
            AreClose(expected[i], scores[i].LogProbability);
        }
    }

    [TestMethod]
    public void SequencesWithNothingToScoreStopAtTheFirstCount()
    {
        using var model = TestModels.Random(TestModels.Config(4, 2, 4));
        var scorer = new CascadeScorer(model, new Cascade([2, 3], [-1]));
        Assert.IsEmpty(scorer.Score([]));
        CollectionAssert.AreEqual(
            new[] { new CascadeScore(0, 2), new CascadeScore(0, 2) }, scorer.Score([[], [1]]));
        Assert.IsTrue(scorer.FeaturesComputed.All(count => count == 0));
        CollectionAssert.AreEqual(
            new[] { 2, 3, 2 }, scorer.Score([[], [1, 5], [1]]).Select(score => score.ChainsUsed).ToArray());
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(100_000)]
    public void SequencesWhoseFeaturesDoNotFitScoreTheSame(long keptBytes)
    {
        using var model = TestModels.Random(TestModels.Config(4, 2, 6) with { ContextLength = 16, KvSharing = true });
        var sequences = Sequences(model, 40, maximum: 120);
        var every = SequenceScorer.ScoreEveryScale(model, sequences);
        var cascade = Halving(sequences, every, [1, 2, 3]);
        var (scarce, ample) = (new CascadeScorer(model, cascade, keptBytes), new CascadeScorer(model, cascade));
        var (found, expected) = (scarce.Score(sequences), ample.Score(sequences));
        for (var i = 0; i < sequences.Length; i++)
        {
            Assert.AreEqual(expected[i].ChainsUsed, found[i].ChainsUsed);
            AreClose(expected[i].LogProbability, found[i].LogProbability);
        }
        // What does not fit is what is computed anew.
        Assert.IsGreaterThan(ample.FeaturesComputed[2], scarce.FeaturesComputed[0]);
    }

    [TestMethod]
    public void AModelOfBFloat16CascadesToWhatItScores()
    {
        using var model = TestModels.Random(TestModels.Config(4, 4), dtype: ScalarType.BFloat16);
        var sequences = Sequences(model, 20, minimum: 2, maximum: 60);
        var every = SequenceScorer.ScoreEveryScale(model, sequences);
        var scores = new CascadeScorer(model, Halving(sequences, every, [1, 2])).Score(sequences);
        Assert.IsTrue(scores.Select(score => score.ChainsUsed).Distinct().Count() == 2);
        for (var i = 0; i < scores.Length; i++)
        {
            var expected = every[i][scores[i].ChainsUsed - 1];
            Assert.AreEqual(expected, scores[i].LogProbability, 0.02 * Math.Abs(expected));
        }
    }

    [TestMethod]
    public void ALossThatIsNoNumberGoesOn()
    {
        using var model = TestModels.Random(TestModels.Config(4, 4));
        using (no_grad())
            model.named_parameters().Single(entry => entry.name == "norm.chain_1").parameter.fill_(float.NaN);
        var score = new CascadeScorer(model, new Cascade([1, 2], [double.PositiveInfinity])).Score([[1, 2, 3]])[0];
        Assert.AreEqual(2, score.ChainsUsed);
        Assert.AreEqual(double.NaN, score.LogProbability);
    }

    [TestMethod]
    public void CascadesLeaveNothingBehindAndNoGradients()
    {
        using var model = TestModels.Random(TestModels.Config(4, 2, 4) with { KvSharing = true });
        var sequences = Sequences(model, 20, maximum: 150);
        var cascade = Halving(sequences, SequenceScorer.ScoreEveryScale(model, sequences), [1, 2, 3]);
        new CascadeScorer(model, cascade).Score(sequences);
        var before = LiveTensors.CountSettled();
        new CascadeScorer(model, cascade).Score(sequences);
        new CascadeScorer(model, cascade, keptBytes: 0).Score(sequences);
        Assert.AreEqual(before, LiveTensors.Count);
        Assert.IsTrue(is_grad_enabled());
    }

    [TestMethod]
    public void AnIdOutsideTheVocabularyIsNamed()
    {
        using var model = TestModels.Random(TestModels.Config(4, 4));
        var error = Assert.Throws<ArgumentException>(
            () => new CascadeScorer(model, new Cascade([1, 2], [1])).Score([[1, 2], [1, 40]]));
        Assert.Contains("40 is outside the vocabulary of 40", error.Message);
    }

    private static int[][] Sequences(CoLMModel model, int count, int maximum, int minimum = 0)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, random.Next(minimum, maximum + 1))
            .Select(_ => random.Next(model.Config.VocabularySize)).ToArray())];
    }

    /// <summary>Thresholds that stop about half of the sequences that come to them.</summary>
    private static Cascade Halving(int[][] sequences, double[][] every, int[] counts)
    {
        var left = Enumerable.Range(0, sequences.Length).Where(i => sequences[i].Length > 1).ToList();
        var thresholds = new List<double>();
        foreach (var count in counts[..^1])
        {
            double Loss(int i) => -every[i][count - 1] / (sequences[i].Length - 1);
            // Between two losses, so that rounding decides nothing; and they may not fall.
            var losses = left.Select(Loss).Order().ToArray();
            var threshold = (losses[losses.Length / 2 - 1] + losses[losses.Length / 2]) / 2;
            thresholds.Add(Math.Max(threshold, thresholds.DefaultIfEmpty(0).Last()));
            left.RemoveAll(i => Loss(i) <= thresholds[^1]);
        }
        return new Cascade(counts, thresholds);
    }

    private static int ExpectedCount(int[] sequence, double[] scales, Cascade cascade)
    {
        for (var stage = 0; stage < cascade.Thresholds.Count; stage++)
        {
            var count = cascade.ChainCounts[stage];
            if (sequence.Length < 2 || -scales[count - 1] / (sequence.Length - 1) <= cascade.Thresholds[stage])
                return count;
        }
        return cascade.ChainCounts[^1];
    }

    private static void AreClose(double expected, double actual) =>
        Assert.AreEqual(expected, actual, Tolerance * Math.Max(1, Math.Abs(expected)));
}
