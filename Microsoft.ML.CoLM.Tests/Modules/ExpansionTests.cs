using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>Growing a model by chains.</summary>
[TestClass, DoNotParallelize]
public sealed class ExpansionTests
{
    private static readonly (int Batch, int Length)[] Shapes =
        [(1, 1), (2, 1), (1, 2), (3, 7), (1, 16), (2, 33), (1, 100)];

    public static IEnumerable<object[]> Expansions { get; } =
        from added in new[] { "8", "4", "8,4" }
        from kvSharing in new[] { false, true }
        select new object[] { added, kvSharing };

    [TestMethod]
    [DynamicData(nameof(Expansions))]
    public void AGrownRandomModelComputesWhatItsBaseDoesAtEveryChainCount(string added, bool kvSharing)
    {
        foreach (var tied in new[] { false, true })
        {
            foreach (var dtype in new[] { float32, bfloat16 })
            {
                using var model = TestModels.Random(EightHeads with { TieWordEmbeddings = tied }, dtype: dtype);
                CompareWithBase(model, added, kvSharing);
            }
        }
    }

    [TestMethod]
    [DynamicData(nameof(Expansions))]
    public void TheGrownStoryModelComputesWhatItsBaseDoesAtEveryChainCount(string added, bool kvSharing)
    {
        using var model = CoLMModel.Load(SharedData.Folder("data", "stories260K"));
        CompareWithBase(model, added, kvSharing);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void AModelOfSeveralChainsIsGrownOnTopOfItsLast(bool kvSharing)
    {
        using var model = TestModels.Random(TestModels.Config(4, 2) with { KvSharing = kvSharing });
        CompareWithBase(model, "4,6", kvSharing);
    }

    [TestMethod]
    public void AGrownModelIsGrownAgain()
    {
        using var model = TestModels.Random(TestModels.Config());
        using var once = model.Expand([2], kvSharing: true, seed: 1);
        CompareWithBase(once, "4", kvSharing: true);
    }

    [TestMethod]
    [DynamicData(nameof(Expansions))]
    public void TheBaseAndTheGrownModelShareNothing(string added, bool kvSharing)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(EightHeads);
        var before = model.named_parameters().Select(entry => entry.parameter.clone()).ToList();
        var config = model.Config;
        var ids = TestIds.Of(model.Config, 2, 7);
        var expected = model.forward(ids, 1);

        var grown = model.Expand(Parse(added), kvSharing, seed: 1);
        foreach (var parameter in grown.parameters())
            parameter.normal_(0, 1);
        grown.Dispose();

        Assert.AreSame(config, model.Config);
        foreach (var ((name, parameter), original) in model.named_parameters().Zip(before))
        {
            TensorAssert.SameBits(original, parameter, name);
            Assert.IsTrue(parameter.requires_grad, name);
        }
        TensorAssert.SameBits(expected, model.forward(ids, 1));
    }

    [TestMethod]
    [DynamicData(nameof(Expansions))]
    public void TheBasesChainsAreFrozenAndTheNewOnesAreNot(string added, bool kvSharing)
    {
        using var model = TestModels.Random(EightHeads);
        using var grown = model.Expand(Parse(added), kvSharing, seed: 1);
        foreach (var (name, parameter) in grown.named_parameters())
            Assert.AreEqual(ParameterName.Parse(name).Chain > 0, parameter.requires_grad, name);

        using var again = grown.Expand([4], kvSharing, seed: 1);
        foreach (var (name, parameter) in again.named_parameters())
        {
            Assert.AreEqual(
                ParameterName.Parse(name).Chain >= grown.Config.Layout.ChainCount, parameter.requires_grad, name);
        }
    }

    [TestMethod]
    [DynamicData(nameof(Expansions))]
    public void TheConfigurationIsTheBasesWithTheNewLayout(string added, bool kvSharing)
    {
        using var model = TestModels.Random(EightHeads);
        using var grown = model.Expand(Parse(added), kvSharing, seed: 1);
        Assert.AreEqual(
            model.Config with { Layout = ChainLayout.Parse($"8,{added}"), KvSharing = kvSharing }, grown.Config);
    }

    [TestMethod]
    public void NewWeightsAreNormalWithNormsOfOneAndHeadsOfZero()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(EightHeads with { HiddenSize = 64, IntermediateSize = 128 });
        using var grown = model.Expand([8, 4], kvSharing: false, seed: 1);
        var values = new List<Tensor>();
        foreach (var (name, parameter) in grown.named_parameters())
        {
            var (module, chain) = ParameterName.Parse(name);
            if (chain == 0)
                continue;
            if (parameter.dim() == 1)
                Assert.IsTrue(parameter.eq(1).all().item<bool>(), name);
            else if (module == "lm_head")
                Assert.IsTrue(parameter.eq(0).all().item<bool>(), name);
            else
                values.Add(parameter.to(float64).view(-1));
        }

        var all = cat(values);
        var count = all.numel();
        Assert.IsGreaterThan(100_000, count);
        // Of n normal values: the mean's deviation is σ/√n, the deviation's σ/√(2n); five of them each.
        TensorAssert.AtMost(5 * 0.02 / Math.Sqrt(count), Math.Abs(all.mean().item<double>()), "mean");
        TensorAssert.AtMost(5 * 0.02 / Math.Sqrt(2 * count), Math.Abs(all.std().item<double>() - 0.02), "deviation");
        var withinTwo = all.abs().lt(0.04).to(float64).mean().item<double>();
        TensorAssert.AtMost(5 * Math.Sqrt(0.9545 * 0.0455 / count), Math.Abs(withinTwo - 0.9545), "within two of them");
    }

    [TestMethod]
    public void OneSeedGivesTheSameWeightsAndAnotherGivesOthers()
    {
        using var model = TestModels.Random(EightHeads);
        using var one = model.Expand([8, 4], kvSharing: true, seed: 1);
        using var same = model.Expand([8, 4], kvSharing: true, seed: 1);
        using var other = model.Expand([8, 4], kvSharing: true, seed: 2);
        using var any = model.Expand([8, 4], kvSharing: true);
        using var another = model.Expand([8, 4], kvSharing: true);
        ModelAssert.SameWeights(one, same);
        AssertDrawnAnew(one, other);
        AssertDrawnAnew(one, any);
        AssertDrawnAnew(any, another);
    }

    [TestMethod]
    public void NoWeightIsDrawnTwice()
    {
        using var model = TestModels.Random(EightHeads);
        using var grown = model.Expand([8, 8], kvSharing: false, seed: 1);
        var drawn = grown.named_parameters()
            .Where(entry => entry.parameter.dim() == 2
                && ParameterName.Parse(entry.name) is { Chain: > 0, Module: not "lm_head" })
            .Select(entry => entry.parameter[0, 0].item<float>()).ToList();
        CollectionAssert.AllItemsAreUnique(drawn);
    }

    [TestMethod]
    public void GrowingDrawsNothingFromTorchsOwnGenerator()
    {
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(EightHeads);
        random.manual_seed(7);
        var expected = rand(4);
        random.manual_seed(7);
        using var grown = model.Expand([8], kvSharing: true, seed: 1);
        TensorAssert.SameBits(expected, rand(4));
    }

    [TestMethod]
    public void AfterTrainingTheNewChainsTheLogitsOfTheBaseAreTheSame()
    {
        using var scope = NewDisposeScope();
        foreach (var kvSharing in new[] { false, true })
        {
            using var model = TestModels.Random(EightHeads);
            using var grown = model.Expand([8, 4], kvSharing, seed: 1);
            var ids = TestIds.Of(model.Config, 2, 16);
            using var optimizer = optim.AdamW(grown.parameters().Where(parameter => parameter.requires_grad), lr: 0.01);
            double first = 0, last = 0;
            for (var step = 0; step < 5; step++)
            {
                optimizer.zero_grad();
                var logits = grown.forward(ids, 3).narrow(1, 0, 15).reshape(30, -1);
                var loss = nn.functional.cross_entropy(logits, ids.narrow(1, 1, 15).reshape(-1));
                loss.backward();
                optimizer.step();
                last = loss.item<float>();
                first = step == 0 ? last : first;
            }
            Assert.IsTrue(last < first, $"The loss went from {first} to {last}.");
            using var noGradients = no_grad();
            TensorAssert.SameBits(model.forward(ids, 1), grown.forward(ids, 1));
            Assert.IsFalse(TensorAssert.HaveSameBits(model.forward(ids, 1), grown.forward(ids, 3)));
        }
    }

    [TestMethod]
    [DataRow(new[] { 0 }, true, "chain 2 has 0")]
    [DataRow(new[] { 4, -4 }, true, "chain 3 has -4")]
    [DataRow(new[] { 3 }, true, "chain 2 has 3 heads, which is no multiple of the first chain's 4 key-value heads")]
    [DataRow(new[] { 8, 6 }, true, "chain 3 has 6 heads, which is no multiple of the first chain's 4 key-value heads")]
    [DataRow(new[] { 1 }, false, "KeyValueHeadCount 4 times chain 2's 1 heads is not divisible by the first chain's 8")]
    public void ChainsThatDoNotFitAreRefusedWithTheNumberThatDoesNot(int[] added, bool kvSharing, string message)
    {
        using var model = TestModels.Random(EightHeads);
        var error = Assert.ThrowsExactly<ArgumentException>(() => model.Expand(added, kvSharing, seed: 1));
        Assert.Contains(message, error.Message);
    }

    [TestMethod]
    public void GrowingByNothingIsRefused()
    {
        using var model = TestModels.Random(EightHeads);
        var error = Assert.ThrowsExactly<ArgumentException>(() => model.Expand([], kvSharing: true));
        Assert.AreEqual("addedChains", error.ParamName);
        Assert.AreEqual("addedChains",
            Assert.ThrowsExactly<ArgumentNullException>(() => model.Expand(null!, kvSharing: true)).ParamName);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void SharingOfKeysAndValuesIsNotChangedOnceThereAreSeveralChains(bool kvSharing)
    {
        using var model = TestModels.Random(TestModels.Config(4, 2) with { KvSharing = kvSharing });
        var error = Assert.ThrowsExactly<ArgumentException>(() => model.Expand([2], !kvSharing));
        Assert.AreEqual("kvSharing", error.ParamName);
        Assert.Contains($"made with kvSharing {kvSharing}; found kvSharing {!kvSharing}", error.Message);
        Assert.Contains("{4,2}", error.Message);
    }

    [TestMethod]
    public void ADisposedModelIsNotGrown()
    {
        var model = TestModels.Random(EightHeads);
        model.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.Expand([8], kvSharing: true));
    }

    private static CoLMConfig EightHeads => TestModels.Config() with
    {
        Layout = new ChainLayout(8),
        HiddenSize = 32,
        IntermediateSize = 48,
        KeyValueHeadCount = 4,
        ContextLength = 100,
    };

    private static void CompareWithBase(CoLMModel model, string added, bool kvSharing)
    {
        using var noGradients = no_grad();
        using var grown = model.Expand(Parse(added), kvSharing, seed: 1);
        var count = model.Config.Layout.ChainCount;
        foreach (var (batch, length) in Shapes)
        {
            if (length > model.Config.ContextLength)
                continue;
            using var scope = NewDisposeScope();
            var ids = TestIds.Of(model.Config, batch, length);
            for (var chainCount = 1; chainCount <= grown.Config.Layout.ChainCount; chainCount++)
            {
                TensorAssert.SameBits(model.forward(ids, Math.Min(chainCount, count)), grown.forward(ids, chainCount),
                    $"{grown.Config.Layout}, {chainCount} chains, {batch} x {length}");
            }
        }
    }

    private static void AssertDrawnAnew(CoLMModel a, CoLMModel b)
    {
        foreach (var ((name, first), (_, second)) in a.named_parameters().Zip(b.named_parameters()))
        {
            var (module, chain) = ParameterName.Parse(name);
            var isDrawn = chain > 0 && first.dim() == 2 && module != "lm_head";
            Assert.AreEqual(!isDrawn, TensorAssert.HaveSameBits(first, second), name);
        }
    }

    private static int[] Parse(string added) => [.. ChainLayout.Parse(added).Heads];
}
