using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>The loss of labels.</summary>
[TestClass, DoNotParallelize]
public sealed class PredictionObjectiveTests
{
    private const int ClassCount = 3;

    private static readonly int[][] Examples =
        [.. Enumerable.Range(0, 7).Select(i => Enumerable.Range(0, 3 + 2 * i).Select(t => (7 * i + 3 * t) % 40).ToArray())];

    private static readonly float[] Labels = [0, 2, 1, 1, 0, 2, 2];

    public static IEnumerable<object[]> Weights { get; } =
    [
        [0, new double[] { 1, 1, 1 }, FeaturePooling.LastToken], [0, new double[] { 0, 0, 1 }, FeaturePooling.Mean],
        [1, new[] { 0.5, 2, 1 }, FeaturePooling.LastToken], [1, new[] { 0.5, 2, 1 }, FeaturePooling.Mean],
        [2, new double[] { 0, 1, 1 }, FeaturePooling.Mean], [2, new[] { 0, 0, 0.25 }, FeaturePooling.LastToken],
    ];

    [TestMethod]
    [DynamicData(nameof(Weights))]
    public void ItIsTheWeightedSumOfTheScalesCrossEntropies(int frozenChains, double[] weights, FeaturePooling pooling)
    {
        using var model = TestModels.Random(TestModels.Config(4, 2, 4));
        using var head = Head(model, ClassCount, pooling);
        var objective = Objective(model, head, frozenChains, Labels, new ClassLoss(), weights);
        var (chosen, outputs) = (Order().Examples(0), Outputs(model, head));
        double expected = 0;
        for (var scale = 0; scale < 3; scale++)
            expected += weights[scale] * chosen.Average(i => CrossEntropy(outputs[i][scale], (int)Labels[i]));
        Assert.AreEqual(expected, objective.Loss(0).Mean(), 1e-5);
    }

    [TestMethod]
    [DataRow(new[] { 1.0, 2, 0.5 }, 0)]
    [DataRow(null, 0.25)]
    [DataRow(new[] { 3.0, 1, 0.125 }, 0.5)]
    public void ClassesMayCountDifferentlyAndLabelsBeSmoothed(double[]? classWeights, double smoothing)
    {
        float[] labels = [0, 1, 2, 2];
        float[][] outputs = [[1, -2, 0.5f], [0, 3, 1], [-1, -1, 2], [4, 0, -3]];
        double sum = 0, total = 0;
        for (var i = 0; i < labels.Length; i++)
        {
            // A label is 1 - s for its class and s / 3 for each; every class's term counts by the class's weight.
            for (var c = 0; c < ClassCount; c++)
            {
                var share = smoothing / ClassCount + (c == (int)labels[i] ? 1 - smoothing : 0);
                sum += share * (classWeights?[c] ?? 1) * CrossEntropy(outputs[i], c);
            }
            total += classWeights?[(int)labels[i]] ?? 1;
        }
        using var scope = NewDisposeScope();
        var logits = tensor(outputs.SelectMany(row => row).ToArray(), [4, ClassCount]);
        var loss = new ClassLoss(classWeights, smoothing);
        using var actual = loss.Sum(logits, labels);
        Assert.AreEqual(sum, actual.ToDouble(), 1e-5);
        Assert.AreEqual(total, loss.Count(labels), 1e-12);
    }

    [TestMethod]
    public void ANumbersLossIsItsSquaredError()
    {
        using var model = TestModels.Random(TestModels.Config(4, 2, 4));
        using var head = Head(model, 1);
        var objective = Objective(model, head, 1, Labels, new SquaredLoss(), [1, 1, 1]);
        var (chosen, outputs) = (Order().Examples(0), Outputs(model, head));
        var expected = Enumerable.Range(0, 3).Sum(scale =>
            chosen.Average(i => Math.Pow(outputs[i][scale][0] - Labels[i], 2)));
        Assert.AreEqual(expected, objective.Loss(0).Mean(), 1e-4);
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [DataRow(2)]
    public void GradientsFlowIntoTheTunedChainsAndTheHeadAlone(int frozenChains)
    {
        using var source = TestModels.Random(TestModels.Config(4, 2, 4));
        using var model = source.Share(frozenChains);
        using var head = Head(model, ClassCount);
        using var loss = Objective(model, head, frozenChains, Labels, new ClassLoss(), [0, 0, 1]).Loss(0).Sum;
        loss.backward();
        foreach (var (name, parameter) in model.named_parameters())
        {
            var (module, chain) = ParameterName.Parse(name);
            Assert.AreEqual(
                chain >= frozenChains && module != ParameterName.Head, parameter.grad is not null, name);
        }
        Assert.IsTrue(head.parameters().All(parameter => parameter.grad is not null));
        model.zero_grad();
    }

    [TestMethod]
    [DataRow(true, 1, FeaturePooling.LastToken)]
    [DataRow(true, 2, FeaturePooling.LastToken)]
    [DataRow(false, 1, FeaturePooling.LastToken)]
    [DataRow(false, 2, FeaturePooling.LastToken)]
    [DataRow(true, 1, FeaturePooling.Mean)]
    [DataRow(false, 2, FeaturePooling.Mean)]
    public void KeptFeaturesGiveTheSameLosses(bool kvSharing, int frozenChains, FeaturePooling pooling)
    {
        using var model = TestModels.Random(TestModels.Config(4, 2, 4) with { KvSharing = kvSharing });
        using var head = Head(model, ClassCount, pooling);
        using var frozen = new FrozenFeatures(model, frozenChains, Examples, new(1 << 20, 0, 1 << 12), Assert.Fail,
            ExampleFeatures.NeedLastAlone(model.Config, frozenChains, head.Pooling));
        var plain = Objective(model, head, frozenChains, Labels, new ClassLoss(), [1, 1, 1]);
        var kept = Objective(model, head, frozenChains, Labels, new ClassLoss(), [1, 1, 1], frozen);
        for (var batch = 0; batch < 3 * plain.BatchesOf(1); batch++)
        {
            var expected = plain.Loss(batch).Mean();
            Assert.AreEqual(expected, kept.Loss(batch).Mean(), 1e-5 * expected);
        }
        Assert.AreEqual(Examples.Length, frozen.ComputedExamples);
    }

    private static ExampleOrder Order() => new(Array.ConvertAll(Examples, ids => ids.Length), batchSize: 4, seed: 1);

    private static ChainHead Head(
        CoLMModel model, int outputs, FeaturePooling pooling = FeaturePooling.LastToken)
    {
        var head = new ChainHead(model.Config, outputs, CPU, pooling);
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        foreach (var parameter in head.parameters())
            parameter.copy_(randn(parameter.shape, generator: generator).mul_(0.2));
        return head;
    }

    private static PredictionObjective Objective(
        CoLMModel model, ChainHead head, int frozenChains, float[] labels, PredictionLoss loss, double[] weights,
        FrozenFeatures? frozen = null) =>
        new(new ExampleFeatures(model, frozenChains, Examples, frozen), head, labels, Order(), loss, weights);

    // An example at a time, all of the head's columns beside each other: outputs of every scale.
    private static double[][][] Outputs(CoLMModel model, ChainHead head)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        return [.. Examples.Select(example => Enumerable.Range(1, model.Config.ChainCount).Select(scale =>
        {
            using var ids = tensor(example.Select(id => (long)id).ToArray()).unsqueeze(0);
            var all = model.Features(ids, new(0, scale)).to(float64);
            var features = head.Pooling == FeaturePooling.Mean ? all.mean([0]) : all[^1];
            var columns = cat([.. Enumerable.Range(0, scale).Select(chain => head.Weight(chain).to(float64))], dim: 1);
            return columns.mv(features).data<double>().ToArray();
        }).ToArray())];
    }

    private static double CrossEntropy(IEnumerable<double> outputs, int label) =>
        Math.Log(outputs.Sum(Math.Exp)) - outputs.ElementAt(label);

    private static double CrossEntropy(IEnumerable<float> outputs, int label) =>
        CrossEntropy(outputs.Select(output => (double)output), label);
}
