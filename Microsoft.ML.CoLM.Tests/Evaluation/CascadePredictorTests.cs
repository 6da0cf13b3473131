using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Estimators;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Evaluation;

/// <summary>Classification that goes on with more chains only where the margin is small.</summary>
[TestClass, DoNotParallelize]
public sealed class CascadePredictorTests
{
    [TestMethod]
    [DataRow(true, FeaturePooling.LastToken)]
    [DataRow(false, FeaturePooling.LastToken)]
    [DataRow(true, FeaturePooling.Mean)]
    [DataRow(false, FeaturePooling.Mean)]
    public void EachRowHasTheOutputsOfTheCountAtWhichItIsClear(bool kvSharing, FeaturePooling pooling)
    {
        using var model = Model(kvSharing);
        using var head = Head(model, pooling);
        var sequences = Sequences(40, minimum: 1, maximum: 50);
        var every = SequencePredictor.Outputs(model, head, sequences, new(0, 3));
        foreach (var counts in (int[][])[[1, 2, 3], [1, 3], [2, 3], [2]])
        {
            // Half of the rows stop at each count.
            var thresholds = counts.SkipLast(1).Select(count => every
                .Select(scales => Probabilities.Margin(scales[count - 1])).Order().ElementAt(20)).Order().ToArray();
            var predictions = new CascadePredictor(model, head, new Cascade(counts, thresholds)).Predict(sequences);
            for (var i = 0; i < sequences.Length; i++)
            {
                var stage = 0;
                while (stage < thresholds.Length && Probabilities.Margin(every[i][counts[stage] - 1]) < thresholds[stage])
                    stage++;
                Assert.AreEqual(counts[stage], predictions[i].ChainsUsed, $"sequence {i}");
                for (var c = 0; c < 4; c++)
                    Assert.AreEqual(every[i][counts[stage] - 1][c], predictions[i].Outputs[c], 1e-4, $"sequence {i}");
            }
            CollectionAssert.AreEquivalent(
                counts, predictions.Select(prediction => prediction.ChainsUsed).Distinct().ToArray());
        }
    }

    [TestMethod]
    [DataRow(true, FeaturePooling.LastToken)]
    [DataRow(false, FeaturePooling.LastToken)]
    [DataRow(true, FeaturePooling.Mean)]
    public void RowsThatStopCostTheirChainsAloneAndOthersTheAddedOnes(bool kvSharing, FeaturePooling pooling)
    {
        const int Length = 20;
        using var model = Model(kvSharing);
        using var head = Head(model, pooling);
        var sequences = Sequences(30, Length, Length);
        var every = SequencePredictor.Outputs(model, head, sequences, new(0, 3));
        var threshold = every.Select(scales => Probabilities.Margin(scales[0])).Order().ElementAt(12);
        var predictor = new CascadePredictor(model, head, new Cascade([1, 2, 3], [threshold, threshold]));
        var used = predictor.Predict(sequences).Select(prediction => prediction.ChainsUsed).ToArray();
        Assert.AreEqual(18, used.Count(count => count == 1));
        // With shared keys and values later chains are computed at the last token alone, if that is what is read.
        long[] tokens = kvSharing && pooling == FeaturePooling.LastToken ? [Length, 1, 1] : [Length, Length, Length];
        CollectionAssert.AreEqual(
            tokens.Select((each, chain) => each * used.Count(count => count > chain)).ToArray(),
            predictor.FeaturesComputed.ToArray());

        var whole = new CascadePredictor(model, head, new Cascade([1, 3], [2]));
        _ = whole.Predict(sequences);
        CollectionAssert.AreEqual(Array.ConvertAll(tokens, each => 30 * each), whole.FeaturesComputed.ToArray());
    }

    [TestMethod]
    [DataRow(0.0, 1)]
    [DataRow(-1.0, 1)]
    [DataRow(1.01, 3)]
    [DataRow(double.PositiveInfinity, 3)]
    public void AThresholdMayStopAllRowsOrNone(double threshold, int count)
    {
        using var model = Model(kvSharing: true);
        using var head = Head(model);
        var sequences = Sequences(10, 1, 50);
        var every = SequencePredictor.Outputs(model, head, sequences, new(0, 3));
        var predictions = new CascadePredictor(model, head, new Cascade([1, 3], [threshold])).Predict(sequences);
        for (var i = 0; i < sequences.Length; i++)
        {
            Assert.AreEqual(count, predictions[i].ChainsUsed);
            for (var c = 0; c < 4; c++)
                Assert.AreEqual(every[i][count - 1][c], predictions[i].Outputs[c], 1e-4);
        }
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void NothingIsLeftBehind(bool kvSharing)
    {
        using var model = Model(kvSharing);
        using var head = Head(model);
        var sequences = Sequences(10, 1, 30);
        void Predict() => _ = new CascadePredictor(model, head, new Cascade([1, 2, 3], [0.3, 0.6])).Predict(sequences);
        Predict();
        var before = LiveTensors.CountSettled();
        for (var round = 0; round < 10; round++)
            Predict();
        Assert.AreEqual(before, LiveTensors.Count);
    }

    [TestMethod]
    public void ASequenceWithoutTokensStopsAtTheFirstCount()
    {
        using var model = Model(kvSharing: true);
        using var head = Head(model);
        var predictor = new CascadePredictor(model, head, new Cascade([1, 3], [2]));
        var predictions = predictor.Predict([[], [1], []]);
        CollectionAssert.AreEqual((int[])[1, 3, 1], predictions.Select(prediction => prediction.ChainsUsed).ToArray());
        CollectionAssert.AreEqual(new float[4], predictions[0].Outputs);
        Assert.IsEmpty(predictor.Predict([]));
    }

    [TestMethod]
    [DataRow(new float[] { 0, 0 }, 0)]
    [DataRow(new float[] { 1000, 0 }, 1)]
    [DataRow(new[] { 0, 0.6931472f, 0 }, 0.25)]
    [DataRow(new[] { float.NaN, 0 }, double.NaN)]
    public void AMarginIsHowMuchMoreProbableTheFirstIsThanTheNext(float[] outputs, double expected)
    {
        if (double.IsNaN(expected))
            Assert.IsFalse(Probabilities.Margin(outputs) >= 0.5);
        else
            Assert.AreEqual(expected, Probabilities.Margin(outputs), 1e-6);
    }

    private static CoLMModel Model(bool kvSharing) =>
        TestModels.Random(TestModels.Config(4, 2, 6) with { KvSharing = kvSharing });

    private static ChainHead Head(CoLMModel model, FeaturePooling pooling = FeaturePooling.LastToken)
    {
        var head = new ChainHead(model.Config, outputCount: 4, CPU, pooling);
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        foreach (var parameter in head.parameters())
            parameter.copy_(randn(parameter.shape, generator: generator).mul_(0.2));
        return head;
    }

    private static int[][] Sequences(int count, int minimum, int maximum)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ =>
            Enumerable.Range(0, random.Next(minimum, maximum + 1)).Select(_ => random.Next(40)).ToArray())];
    }
}
