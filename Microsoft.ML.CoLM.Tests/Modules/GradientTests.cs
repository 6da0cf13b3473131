using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>Gradients of the whole model.</summary>
[TestClass, DoNotParallelize]
public sealed class GradientTests
{
    // Of the largest element of a gradient; float32 keeps 6e-8, and a gradient sums over all positions.
    private const double Rounding = 1e-5;

    public static IEnumerable<object[]> Architectures { get; } =
        from layout in new[] { "4", "4,4", "4,2,6" }
        from kvSharing in new[] { false, true }
        from tied in new[] { false, true }
        select new object[] { layout, kvSharing, tied };

    public static IEnumerable<object[]> Splits { get; } =
        from layout in new[] { "4,4", "4,2,6", "4,8,4,2" }
        from kvSharing in new[] { false, true }
        from tied in new[] { false, true }
        select new object[] { layout, kvSharing, tied };

    [TestMethod]
    [DynamicData(nameof(Architectures))]
    public void GradientsAtEveryChainCountAreThoseOfThePlainFormulas(string layout, bool kvSharing, bool tied)
    {
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(ChainCausalityTests.Config(layout, 2, kvSharing, tied));
        using var reference = ReferenceModel.Of(model);
        foreach (var weight in reference.Weights.Values)
            weight.requires_grad_(true);
        var ids = TestIds.Of(model.Config, 2, 9);
        for (var chainCount = 1; chainCount <= model.Config.Layout.ChainCount; chainCount++)
        {
            model.zero_grad();
            Entropy(model.forward(ids, chainCount), ids).backward();
            foreach (var weight in reference.Weights.Values)
                weight.grad?.zero_();
            Entropy(reference.Logits(ids, chainCount), ids).backward();

            foreach (var (name, parameter) in model.named_parameters())
            {
                if (ParameterName.Parse(name).Chain < chainCount)
                    TensorAssert.RelativelyNear(reference.Weights[name].grad!, parameter.grad!, Rounding, name);
                else
                    Assert.IsTrue(parameter.grad is not { } gradient || gradient.eq(0).all().item<bool>(), name);
            }
        }
    }

    [TestMethod]
    [DynamicData(nameof(Splits))]
    public void BehindAFrozenPrefixTheLaterChainsGetTheGradientsOfTheWholePass(string layout, bool kvSharing, bool tied)
    {
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(ChainCausalityTests.Config(layout, 2, kvSharing, tied));
        var ids = TestIds.Of(model.Config, 2, 9);
        var count = model.Config.Layout.ChainCount;
        for (var frozen = 1; frozen < count; frozen++)
        {
            // The multi-chain objective: every trained scale's entropy, each with a weight of its own.
            var trained = Enumerable.Range(frozen + 1, count - frozen).ToList();
            var expected = GradientsOf(model, () =>
                Sum(trained.Select(chainCount => Entropy(model.forward(ids, chainCount), ids) / chainCount)));

            var rest = new ChainRange(frozen, count);
            var actual = GradientsOf(model, () =>
            {
                var prefix = model.PrefixWithLogits(ids, frozen);
                var scales = model.Scales(model.Features(ids, rest, prefix), rest, prefix);
                return Sum(trained.Zip(
                    scales, (chainCount, logits) => Entropy(logits.view(2, 9, -1), ids) / chainCount));
            });
            Compare(expected, actual, frozen);
        }
    }

    [TestMethod]
    [DynamicData(nameof(Splits))]
    public void FrozenWeightsGetNoGradientInTheWholePassAndTheOthersGetTheirs(string layout, bool kvSharing, bool tied)
    {
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(ChainCausalityTests.Config(layout, 2, kvSharing, tied));
        var ids = TestIds.Of(model.Config, 2, 9);
        var count = model.Config.Layout.ChainCount;
        var expected = GradientsOf(model, () => Entropy(model.forward(ids, count), ids));
        for (var frozen = 1; frozen < count; frozen++)
        {
            foreach (var (name, parameter) in model.named_parameters())
                parameter.requires_grad = ParameterName.Parse(name).Chain >= frozen;
            Compare(expected, GradientsOf(model, () => Entropy(model.forward(ids, count), ids)), frozen);
        }
    }

    [TestMethod]
    public void FrozenLaterChainsLeaveTheGradientsOfTheFirstAsTheyAre()
    {
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(ChainCausalityTests.Config("4,2,6", 2, kvSharing: true, tied: true));
        var ids = TestIds.Of(model.Config, 2, 9);
        var expected = GradientsOf(model, () => Entropy(model.forward(ids, 3), ids));
        foreach (var (name, parameter) in model.named_parameters())
            parameter.requires_grad = ParameterName.Parse(name).Chain == 0;
        var actual = GradientsOf(model, () => Entropy(model.forward(ids, 3), ids));
        foreach (var (name, gradient) in expected)
        {
            if (ParameterName.Parse(name).Chain == 0)
                TensorAssert.RelativelyNear(gradient!, actual[name]!, Rounding, name);
            else
                Assert.IsNull(actual[name], name);
        }
    }

    [TestMethod]
    public void WithOnlyTheHeadsTrainedNothingElseGetsAGradient()
    {
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(ChainCausalityTests.Config("4,2,6", 2, kvSharing: true, tied: false));
        var ids = TestIds.Of(model.Config, 2, 9);
        var expected = GradientsOf(model, () => Entropy(model.forward(ids, 3), ids));
        foreach (var (name, parameter) in model.named_parameters())
            parameter.requires_grad = ParameterName.Parse(name).Module == "lm_head";
        foreach (var (name, gradient) in GradientsOf(model, () => Entropy(model.forward(ids, 3), ids)))
        {
            if (ParameterName.Parse(name).Module == "lm_head")
                TensorAssert.RelativelyNear(expected[name]!, gradient!, Rounding, name);
            else
                Assert.IsNull(gradient, name);
        }
    }

    // A grown model's heads are zero, so in the first step they alone of the new weights have a gradient.
    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void InTheFirstStepOfAGrownModelTheNewHeadsAloneHaveAGradient(bool kvSharing)
    {
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(TestModels.Config());
        using var grown = model.Expand([4, 2], kvSharing, seed: 1);
        var ids = TestIds.Of(model.Config, 2, 9);
        foreach (var (name, gradient) in GradientsOf(grown, () => Entropy(grown.forward(ids, 3), ids)))
        {
            var (module, chain) = ParameterName.Parse(name);
            if (chain == 0)
                Assert.IsNull(gradient, name);
            else
                Assert.AreEqual(module == "lm_head", gradient!.ne(0).any().item<bool>(), name);
        }
    }

    private static void Compare(Dictionary<string, Tensor?> expected, Dictionary<string, Tensor?> actual, int frozen)
    {
        foreach (var (name, gradient) in expected)
        {
            if (ParameterName.Parse(name).Chain >= frozen)
                TensorAssert.RelativelyNear(gradient!, actual[name]!, Rounding, $"{name} behind {frozen} chains");
            else
                Assert.IsNull(actual[name], $"{name} behind {frozen} chains");
        }
    }

    private static Dictionary<string, Tensor?> GradientsOf(CoLMModel model, Func<Tensor> loss)
    {
        foreach (var parameter in model.parameters())
            parameter.grad = null;
        loss().backward();
        return model.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter.grad?.clone());
    }

    private static Tensor Sum(IEnumerable<Tensor> losses) => losses.Aggregate((a, b) => a + b);

    private static Tensor Entropy(Tensor logits, Tensor ids)
    {
        var length = ids.size(1);
        return nn.functional.cross_entropy(
            logits.narrow(1, 0, length - 1).reshape(-1, logits.size(2)), ids.narrow(1, 1, length - 1).reshape(-1));
    }
}
