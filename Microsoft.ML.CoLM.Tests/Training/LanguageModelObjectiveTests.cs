using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Tests.Estimators;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

[TestClass, DoNotParallelize]
public sealed class LanguageModelObjectiveTests
{
    private const double Tolerance = 1e-5;

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void TheLossIsTheWeightedSumOfTheScalesCrossEntropies(bool kvSharing)
    {
        var config = TextModels.Config(4, 2, 4) with { KvSharing = kvSharing };
        foreach (double[] weights in (double[][])[[0, 0, 1], [1, 1, 1], [0.5, 2, 0.25], [0, 3, 0]])
        {
            using var training = Randomised(config, frozenChains: 0, weights);
            var expected = Enumerable.Range(0, 3).Sum(scale => weights[scale] * training.CrossEntropy(2, 3, scale + 1));
            Assert.AreEqual(expected, training.Objective.Loss(2, 3).Mean(), Tolerance * expected);
        }
    }

    [TestMethod]
    [DataRow(true, 1)]
    [DataRow(false, 1)]
    [DataRow(true, 2)]
    [DataRow(false, 2)]
    public void FrozenChainsCountInTheLossAndGetNoGradients(bool kvSharing, int frozenChains)
    {
        var config = TextModels.Config(4, 2, 4) with { KvSharing = kvSharing };
        double[] weights = [.. Enumerable.Range(1, 3 - frozenChains).Select(scale => scale * 0.5)];
        using var training = Randomised(config, frozenChains, weights);
        var expected = weights.Select((weight, i) => weight * training.CrossEntropy(0, 4, frozenChains + i + 1)).Sum();
        var loss = training.Objective.Loss(0, 4);
        using (var sum = loss.Sum)
        {
            Assert.AreEqual(expected, sum.ToDouble() / loss.Count, Tolerance * expected);
            sum.backward();
            BackwardResults.Release();
        }
        foreach (var (name, parameter) in training.Model.named_parameters())
        {
            if (!parameter.requires_grad)
                Assert.IsNull(parameter.grad, name);
            else
                Assert.IsGreaterThan(0, parameter.grad!.abs().max().ToDouble(), name);
        }
    }

    [TestMethod]
    public void GradientsAreThoseOfTheWholeModelWithoutTheFrozenChains()
    {
        var config = TextModels.Config(4, 4) with { KvSharing = true };
        using var frozen = Randomised(config, frozenChains: 1, [1]);
        using var whole = Randomised(config, frozenChains: 0, [0, 1]);
        var tokens = Backward(frozen);
        Backward(whole);
        var expected = whole.Model.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        foreach (var (name, parameter) in frozen.Model.named_parameters().Where(entry => entry.parameter.requires_grad))
        {
            using var difference = (parameter.grad! - expected[name].grad!).abs().max();
            Assert.IsLessThan(1e-6, difference.ToDouble() / tokens, name);
        }
    }

    [TestMethod]
    public void ALossLeavesNothingBehindButItself()
    {
        using var training = Randomised(TextModels.Config(4, 4), frozenChains: 1, [1]);
        using (training.Objective.Loss(0, 2).Sum)
        {
        }
        var before = LiveTensors.CountSettled();
        using (training.Objective.Loss(2, 2).Sum)
            Assert.AreEqual(before + 1, LiveTensors.Count);
        Assert.AreEqual(before, LiveTensors.Count);
    }

    private static TinyTraining Randomised(CoLMConfig config, int frozenChains, double[] weights)
    {
        var training = new TinyTraining(config, frozenChains, weights);
        using var values = TextModels.Random(config);
        using var noGradients = no_grad();
        foreach (var (own, given) in training.Model.parameters().Zip(values.parameters()))
            own.copy_(given);
        return training;
    }

    private static double Backward(TinyTraining training)
    {
        var loss = training.Objective.Loss(0, 4);
        using var sum = loss.Sum;
        sum.backward();
        BackwardResults.Release();
        return loss.Count;
    }
}
