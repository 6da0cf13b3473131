using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tests.Estimators;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Evaluation;

[TestClass, DoNotParallelize]
public sealed class SequenceScorerTests
{
    private const double Tolerance = 2e-5;

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void EveryScaleAtOnceGivesWhatEachGives(bool kvSharing)
    {
        using var model = TestModels.Random(TestModels.Config(4, 2, 4) with { KvSharing = kvSharing });
        var sequences = Sequences(model, 20, maximum: 150);
        var every = SequenceScorer.ScoreEveryScale(model, sequences);
        for (var chainCount = 1; chainCount <= 3; chainCount++)
        {
            AreClose(
                SequenceScorer.Score(model, sequences, chainCount),
                [.. every.Select(scales => scales[chainCount - 1])]);
        }
    }

    [TestMethod]
    public void MoreSequencesThanOnePassHoldsScoreAsEachAlone()
    {
        using var model = TestModels.Random(TestModels.Config(4));
        var sequences = Sequences(model, 400, maximum: 64);
        Assert.IsGreaterThan(8192, sequences.Sum(sequence => sequence.Length));
        var together = SequenceScorer.Score(model, sequences, chainCount: 1);
        var some = Enumerable.Range(0, 40).Select(i => i * 10).ToArray();
        AreClose(
            [.. some.Select(i => SequenceScorer.Score(model, [sequences[i]], chainCount: 1)[0])],
            [.. some.Select(i => together[i])]);
    }

    [TestMethod]
    public void AVocabularySoLargeThatLogitsComeInPartsScoresAsInOne()
    {
        const int Vocabulary = 1 << 20;
        using var model = TestModels.Random(TestModels.Config(1) with
        {
            VocabularySize = Vocabulary,
            HiddenSize = 2,
            IntermediateSize = 2,
            KeyValueHeadCount = 1,
            LayerCount = 1,
            ContextLength = 128,
        });
        // More than 64, of which the logits are 256 MiB.
        int[] sequence = [.. Enumerable.Range(0, 80).Select(t => (int)(t * 900_001L % Vocabulary))];
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        using var ids = tensor(sequence, dtype: int64).unsqueeze(0);
        using var logits = model.forward(ids, 1)[0];                                       // [tokens, V]
        double expected = 0;
        for (var t = 1; t < sequence.Length; t++)
            expected += (logits[t - 1, sequence[t]] - logits[t - 1].logsumexp(0)).ToDouble();
        Assert.AreEqual(expected, SequenceScorer.Score(model, [sequence], 1)[0], Tolerance * Math.Abs(expected));
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void AWindowThatIsReadInBlocksScoresAsInOnePass(bool kvSharing)
    {
        using var model = TestModels.Random(TestModels.Config(4, 2, 4) with { KvSharing = kvSharing });
        var sequences = Sequences(model, 8, maximum: 150);
        var expected = SequenceScorer.ScoreEveryScale(model, sequences);
        model.BlockLength = 5;
        // One by one, since only a sequence by itself is divided.
        for (var i = 0; i < sequences.Length; i++)
            AreClose(expected[i], SequenceScorer.ScoreEveryScale(model, [sequences[i]])[0]);
    }

    [TestMethod]
    public void SequencesWithNothingToScoreScoreZero()
    {
        using var model = TestModels.Random(TestModels.Config(4));
        CollectionAssert.AreEqual(new double[] { 0, 0 }, SequenceScorer.Score(model, [[], [1]], 1));
        var sums = SequenceScorer.Score(model, [[], [1, 5], [1]], 1);
        Assert.AreEqual((0.0, 0.0), (sums[0], sums[2]));
        Assert.IsLessThan(0, sums[1]);
        Assert.IsEmpty(SequenceScorer.Score(model, [], 1));
        Assert.AreEqual(0, SequenceScorer.ScoredTokens(0));
        Assert.AreEqual(0, SequenceScorer.ScoredTokens(1));
        Assert.AreEqual(4, SequenceScorer.ScoredTokens(5));
    }

    [TestMethod]
    [DataRow(new[] { 1, 40, 2 }, 40)]
    [DataRow(new[] { 1, 2, 40 }, 40)]
    [DataRow(new[] { 1, -3, 2 }, -3)]
    [DataRow(new[] { 1, 2, -3 }, -3)]
    [DataRow(new[] { 1, 2, -100 }, -100)]
    public void AnIdOutsideTheVocabularyIsNamed(int[] sequence, int named)
    {
        using var model = TestModels.Random(TestModels.Config(4));
        var error = Assert.Throws<ArgumentException>(() => SequenceScorer.Score(model, [[1, 2], sequence], 1));
        Assert.Contains($"{named} is outside the vocabulary of 40", error.Message);
    }

    [TestMethod]
    public void ScoringLeavesNothingBehindAndNoGradients()
    {
        using var model = TestModels.Random(TestModels.Config(4, 4));
        var sequences = Sequences(model, 10, maximum: 100);
        SequenceScorer.Score(model, sequences, 2);
        var before = LiveTensors.CountSettled();
        SequenceScorer.Score(model, sequences, 2);
        SequenceScorer.ScoreEveryScale(model, sequences);
        Assert.AreEqual(before, LiveTensors.Count);
        Assert.IsTrue(is_grad_enabled());
        Assert.IsTrue(model.parameters().All(parameter => parameter.grad is null));
    }

    private static int[][] Sequences(CoLMModel model, int count, int maximum)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, random.Next(maximum))
            .Select(_ => random.Next(model.Config.VocabularySize)).ToArray())];
    }

    private static void AreClose(double[] expected, double[] actual)
    {
        Assert.HasCount(expected.Length, actual);
        for (var i = 0; i < expected.Length; i++)
            Assert.AreEqual(expected[i], actual[i], Tolerance * Math.Max(1, Math.Abs(expected[i])));
    }
}
