using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>Chains 1..k are a model by themselves: nothing of a later chain reaches them, not even a last bit.</summary>
[TestClass, DoNotParallelize]
public sealed class ChainCausalityTests
{
    public static IEnumerable<object[]> Architectures { get; } =
        from layout in new[] { "4,4", "4,8", "4,2,6" }
        from keyValueHeads in new[] { 4, 2, 1 }
        from kvSharing in new[] { false, true }
        let heads = ChainLayout.Parse(layout).Heads
        where heads.All(count => kvSharing ? count % keyValueHeads == 0 : count * keyValueHeads % 4 == 0)
        select new object[] { layout, keyValueHeads, kvSharing, keyValueHeads == 2 };

    [TestMethod]
    [DynamicData(nameof(Architectures))]
    public void AWeightOfAChainReachesNoLogitAtASmallerChainCountAndSomeAtAllOthers(
        string layout, int keyValueHeads, bool kvSharing, bool tied)
    {
        using var noGradients = no_grad();
        using var outer = NewDisposeScope();
        using var model = TestModels.Random(Config(layout, keyValueHeads, kvSharing, tied));
        var ids = TestIds.Of(model.Config, 2, 7);
        var count = model.Config.Layout.ChainCount;
        var expected = LogitsAtEveryChainCount(model, ids);
        foreach (var (name, parameter) in model.named_parameters())
        {
            using var scope = NewDisposeScope();
            var chain = ParameterName.Parse(name).Chain;
            var original = parameter.clone();
            parameter.add_(randn_like(parameter));
            var changed = LogitsAtEveryChainCount(model, ids);
            for (var k = 1; k <= count; k++)
            {
                Assert.AreEqual(k <= chain, TensorAssert.HaveSameBits(expected[k - 1], changed[k - 1]),
                    $"{name} was changed; logits at {k} chains");
            }
            parameter.copy_(original);
        }
    }

    [TestMethod]
    [DynamicData(nameof(Architectures))]
    public void AWeightOfAChainReachesNoFeatureOfAnEarlierChainBesideIt(
        string layout, int keyValueHeads, bool kvSharing, bool tied)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(Config(layout, keyValueHeads, kvSharing, tied));
        var ids = TestIds.Of(model.Config, 2, 7);
        var all = new ChainRange(0, model.Config.Layout.ChainCount);
        var expected = model.Features(ids, all);
        for (var chain = all.End - 1; chain >= 1; chain--)
        {
            foreach (var (name, parameter) in model.named_parameters())
            {
                if (ParameterName.Parse(name).Chain == chain)
                    parameter.normal_(0, 1);
            }
            var changed = model.Features(ids, all);
            var width = Width(model.Config, chain);
            TensorAssert.SameBits(expected.narrow(1, 0, width), changed.narrow(1, 0, width), $"chain {chain + 1}");
            Assert.IsFalse(TensorAssert.HaveSameBits(expected, changed));
        }
    }

    [TestMethod]
    [DynamicData(nameof(Architectures))]
    public void NoWeightOfALaterChainIsRead(string layout, int keyValueHeads, bool kvSharing, bool tied)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(Config(layout, keyValueHeads, kvSharing, tied));
        var ids = TestIds.Of(model.Config, 2, 7);
        for (var chainCount = model.Config.Layout.ChainCount - 1; chainCount >= 1; chainCount--)
        {
            var expected = model.forward(ids, chainCount);
            Assert.IsTrue(expected.isfinite().all().item<bool>());
            foreach (var (name, parameter) in model.named_parameters())
            {
                if (ParameterName.Parse(name).Chain >= chainCount)
                    parameter.fill_(float.NaN);
            }
            Assert.IsTrue(model.forward(ids, chainCount + 1).isnan().any().item<bool>());
            TensorAssert.SameBits(expected, model.forward(ids, chainCount), $"{chainCount} chains");
        }
    }

    // The widths matter: how libtorch and MKL block a product depends on them, and in blocks lie the differences.
    public static IEnumerable<object[]> Sizes { get; } =
        from size in new (int Hidden, int Intermediate, int HeadWidth)[]
        {
            (16, 24, 4), (18, 26, 2), (64, 172, 8), (48, 100, 16), (192, 512, 32),
        }
        from kvSharing in new[] { false, true }
        from dtype in new[] { ScalarType.Float32, ScalarType.BFloat16 }
        select new object[] { size.Hidden, size.Intermediate, size.HeadWidth, kvSharing, dtype };

    [TestMethod]
    [DynamicData(nameof(Sizes))]
    public void TheFeaturesOfChainsAloneAreThoseBesideFurtherChains(
        int hidden, int intermediate, int headWidth, bool kvSharing, ScalarType dtype)
    {
        var config = TestModels.Config(4, 4, 2, 6) with
        {
            HiddenSize = hidden,
            IntermediateSize = intermediate,
            HeadDimension = headWidth,
            KvSharing = kvSharing,
            ContextLength = 100,
        };
        using var model = CoLMModel.Create(config, seed: 3, CPU, dtype);
        Widen(model);
        (int, int)[] shapes =
            [(1, 1), (3, 1), (1, 2), (2, 7), (1, 16), (3, 16), (1, 33), (4, 33), (1, 100), (2, 100)];
        foreach (var (batch, length) in shapes)
        {
            foreach (var withGradients in new[] { false, true })
            {
                using var mode = set_grad_enabled(withGradients);
                using var scope = NewDisposeScope();
                var ids = TestIds.Of(config, batch, length);
                var beside = model.Features(ids, new ChainRange(0, 4));
                for (var chainCount = 1; chainCount < 4; chainCount++)
                {
                    var alone = model.Features(ids, new ChainRange(0, chainCount));
                    TensorAssert.SameBits(alone, beside.narrow(1, 0, Width(config, chainCount)),
                        $"{chainCount} chains, {batch} x {length}, gradients {withGradients}");
                }
            }
        }
    }

    [TestMethod]
    public void TheStoryModelsFeaturesAreTheSameBesideFurtherChains()
    {
        using var noGradients = no_grad();
        using var story = CoLMModel.Load(SharedData.Folder("data", "stories260K"));
        foreach (var kvSharing in new[] { false, true })
        {
            using var model = story.Expand([8, 4], kvSharing, seed: 1);
            (int, int)[] shapes = [(1, 1), (2, 1), (1, 2), (1, 7), (1, 16), (2, 33), (1, 100), (8, 100), (1, 512)];
            foreach (var (batch, length) in shapes)
            {
                using var scope = NewDisposeScope();
                var ids = TestIds.Of(model.Config, batch, length);
                var alone = story.Features(ids, new ChainRange(0, 1));
                var beside = model.Features(ids, new ChainRange(0, 3));
                TensorAssert.SameBits(alone, beside.narrow(1, 0, 64), $"{batch} x {length}, kvSharing {kvSharing}");
            }
        }
    }

    [TestMethod]
    [DynamicData(nameof(Architectures))]
    public void LogitsAtEveryScaleAreThoseAtEveryChainCount(
        string layout, int keyValueHeads, bool kvSharing, bool tied)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(Config(layout, keyValueHeads, kvSharing, tied));
        var ids = TestIds.Of(model.Config, 2, 7);
        var all = new ChainRange(0, model.Config.Layout.ChainCount);
        var scales = model.Scales(model.Features(ids, all), all);
        Assert.HasCount(all.Count, scales);
        for (var chainCount = 1; chainCount <= all.Count; chainCount++)
        {
            TensorAssert.RelativelyNear(model.forward(ids, chainCount).view(14, -1), scales[chainCount - 1], 1e-6,
                $"{chainCount} chains");
        }
    }

    internal static CoLMConfig Config(string layout, int keyValueHeads, bool kvSharing, bool tied) =>
        TestModels.Config() with
        {
            Layout = ChainLayout.Parse(layout),
            KeyValueHeadCount = keyValueHeads,
            KvSharing = kvSharing,
            TieWordEmbeddings = tied,
        };

    /// <summary>D_1 + ... + D_k.</summary>
    private static int Width(CoLMConfig config, int chainCount) =>
        config.Layout.Heads.Take(chainCount).Sum() * config.HiddenSize / config.Layout.Heads[0];

    private static List<Tensor> LogitsAtEveryChainCount(CoLMModel model, Tensor ids) =>
        [.. Enumerable.Range(1, model.Config.Layout.ChainCount).Select(chainCount => model.forward(ids, chainCount))];

    // Weights of 0.02 leave attention flat and the gates in their linear part.
    private static void Widen(CoLMModel model)
    {
        using var noGradients = no_grad();
        foreach (var parameter in model.parameters())
        {
            if (parameter.dim() == 2)
                parameter.mul_(6);
        }
    }
}
