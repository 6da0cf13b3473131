using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>Adapters on a model's later chains.</summary>
[TestClass, DoNotParallelize]
public sealed class LowRankAdaptersTests
{
    private static readonly LoraOptions Lora = new() { Rank = 2, Alpha = 3 };

    public static IEnumerable<object[]> Models { get; } =
        from kvSharing in new[] { false, true }
        from firstChain in new[] { 0, 1, 2 }
        from projections in new[] { LoraProjections.All, LoraProjections.Query | LoraProjections.Down }
        select new object[] { kvSharing, firstChain, projections };

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void AtFirstTheyAddNothing(bool kvSharing, int firstChain, LoraProjections projections)
    {
        using var model = Model(kvSharing);
        using var ids = TestIds.Of(model.Config, 2, 9);
        using var before = Logits(model, ids);
        model.Adapters = new LowRankAdapters(model, firstChain, new() { Rank = 2, Alpha = 3, Projections = projections });
        model.Adapters.Initialise(seed: 1);
        using var after = Logits(model, ids);
        TensorAssert.SameBits(before, after);
    }

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void AMergedModelComputesTheSame(bool kvSharing, int firstChain, LoraProjections projections)
    {
        using var model = Adapted(kvSharing, firstChain, new() { Rank = 2, Alpha = 3, Projections = projections });
        using var merged = model.MergeAdapters();
        Assert.IsNull(merged.Adapters);
        using var ids = TestIds.Of(model.Config, 2, 9);
        for (var chainCount = 1; chainCount <= 3; chainCount++)
        {
            using var adapted = Logits(model, ids, chainCount);
            using var plain = Logits(merged, ids, chainCount);
            TensorAssert.RelativelyNear(adapted, plain, 1e-5, $"{chainCount} chains");
        }
        using var without = Model(kvSharing);
        using var changed = Logits(model, ids);
        using var original = Logits(without, ids);
        Assert.IsGreaterThan(0.1, TensorAssert.MaxDifference(original, changed));
    }

    [TestMethod]
    public void MergedWeightsHaveTheProductsOfTheirMatricesInThem()
    {
        using var model = Adapted(kvSharing: false, firstChain: 1, Lora);
        var before = TinyTraining.Values(model);
        using var merged = model.MergeAdapters();
        using var scope = NewDisposeScope();
        var adapters = model.Adapters!.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        var changed = 0;
        foreach (var (name, parameter) in merged.named_parameters())
        {
            var (module, chain) = ParameterName.Parse(name);
            var own = model.get_parameter(name)!;
            if (!module.EndsWith("_proj", StringComparison.Ordinal) || chain == 0)
            {
                TensorAssert.SameBits(own, parameter, name);
                continue;
            }
            var parts = module.Split('.');
            var projection = parts[^1] switch
            {
                "q_proj" => Projection.Query,
                "k_proj" => Projection.Key,
                "v_proj" => Projection.Value,
                "o_proj" => Projection.Output,
                "gate_proj" => Projection.Gate,
                "up_proj" => Projection.Up,
                _ => Projection.Down,
            };
            var prefix = $"layers_{parts[1]}_{projection}";
            var (down, up) = (adapters[$"{prefix}.lora_A.chain_{chain + 1}"], adapters[$"{prefix}.lora_B.chain_{chain + 1}"]);
            CollectionAssert.AreEqual(new long[] { 2, own.size(1) }, down.shape);
            TensorAssert.Near(own + up.mm(down) * 1.5, parameter, 1e-6, name);
            changed++;
        }
        Assert.AreEqual(2 * 7 * 2, changed, "Layers, projections, adapted chains.");
        CollectionAssert.AreEqual(before.Keys, TinyTraining.Values(model).Keys);
        foreach (var (name, values) in TinyTraining.Values(model))
            CollectionAssert.AreEqual(before[name], values, "The model itself stays.");
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void NoChainReadsALaterOnesAdapter(bool kvSharing)
    {
        using var model = Adapted(kvSharing, firstChain: 1, Lora);
        using var plain = Model(kvSharing);
        using var ids = TestIds.Of(model.Config, 2, 9);
        using (var first = Logits(model, ids, chainCount: 1))
        using (var without = Logits(plain, ids, chainCount: 1))
            TensorAssert.SameBits(without, first);

        using var two = Logits(model, ids, chainCount: 2);
        using var three = Logits(model, ids, chainCount: 3);
        using (no_grad())
        {
            foreach (var (name, parameter) in model.Adapters!.named_parameters())
            {
                if (ParameterName.Parse(name).Chain == 2)
                    parameter.mul_(2);
            }
        }
        using var twoAfter = Logits(model, ids, chainCount: 2);
        using var threeAfter = Logits(model, ids, chainCount: 3);
        TensorAssert.SameBits(two, twoAfter);
        Assert.IsFalse(TensorAssert.HaveSameBits(three, threeAfter));
    }

    [TestMethod]
    [DataRow(true, 1)]
    [DataRow(true, 2)]
    [DataRow(false, 1)]
    [DataRow(false, 2)]
    public void ChainsOnTopOfAPrefixComputeWhatAllOfThemDo(bool kvSharing, int prefixChains)
    {
        // The adapters begin before, at and behind the chains that the prefix has.
        foreach (var firstChain in (int[])[0, 1, 2])
        {
            using var model = Adapted(kvSharing, firstChain, Lora);
            using var ids = TestIds.Of(model.Config, 2, 9);
            using var noGradients = no_grad();
            using var whole = model.Features(ids, new ChainRange(0, 3));
            using var prefix = model.PrefixWithLogits(ids, prefixChains);
            using var rest = model.Features(ids, new ChainRange(prefixChains, 3), prefix);
            using var joined = cat([prefix.HeadInput!, rest], dim: 1);
            TensorAssert.RelativelyNear(whole, joined, 1e-5, $"adapters from chain {firstChain + 1} on");
        }
    }

    [TestMethod]
    public void ASeedDecidesTheirFirstValues()
    {
        using var model = Model(kvSharing: true);
        using var one = new LowRankAdapters(model, 1, Lora);
        using var same = new LowRankAdapters(model, 1, Lora);
        using var other = new LowRankAdapters(model, 1, Lora);
        one.Initialise(4);
        same.Initialise(4);
        other.Initialise(5);
        var isDown = (string name) => name.Contains("lora_A", StringComparison.Ordinal);
        foreach (var ((name, a), (_, b)) in one.named_parameters().Zip(same.named_parameters()))
            TensorAssert.SameBits(a, b, name);
        foreach (var ((name, a), (_, b)) in one.named_parameters().Zip(other.named_parameters()))
            Assert.AreEqual(!isDown(name), TensorAssert.HaveSameBits(a, b), name);
    }

    [TestMethod]
    [DataRow(0, 1, "Rank")]
    [DataRow(-1, 1, "Rank")]
    [DataRow(9, 1, "at most 8")]
    [DataRow(9, 0, "at most 8")]
    public void RanksThatNoMatrixHasAreRefused(int rank, int firstChain, string named)
    {
        using var model = Model(kvSharing: false);
        var lora = new LoraOptions { Rank = rank };
        var error = Assert.Throws<ArgumentException>(() =>
        {
            lora.Check();
            lora.CheckFits(model, firstChain);
        });
        Assert.Contains("Lora.Rank", error.Message);
        Assert.Contains(named, error.Message);
        Assert.Contains($"found {rank}", error.Message);
    }

    [TestMethod]
    public void OtherWrongOptionsAreRefusedByTheirNames()
    {
        foreach (var (lora, named) in ((LoraOptions, string)[])[
            (new() { Alpha = 0 }, "Alpha"), (new() { Alpha = double.NaN }, "Alpha"),
            (new() { Alpha = double.PositiveInfinity }, "Alpha"), (new() { Dropout = 1 }, "Dropout"),
            (new() { Dropout = -0.5 }, "Dropout"), (new() { Dropout = double.NaN }, "Dropout"),
            (new() { Projections = LoraProjections.None }, "Projections"),
            (new() { Projections = (LoraProjections)128 }, "Projections")])
        {
            Assert.Contains($"Lora.{named}", Assert.Throws<ArgumentException>(lora.Check).Message);
        }

        // Chains that share keys and values have no matrix for them.
        using var model = Model(kvSharing: true);
        var keys = new LoraOptions { Rank = 2, Projections = LoraProjections.Key | LoraProjections.Value };
        keys.CheckFits(model, 0);
        Assert.Contains("Lora.Projections", Assert.Throws<ArgumentException>(() => keys.CheckFits(model, 1)).Message);
    }

    [TestMethod]
    public void AFolderOfAnAdaptedModelHasTheMergedWeights()
    {
        using var model = Adapted(kvSharing: true, firstChain: 1, Lora);
        using var merged = model.MergeAdapters();
        using var folder = new Checkpoints.TemporaryFolder();
        model.Save(folder["adapted"]);
        merged.Save(folder["merged"]);
        Checkpoints.ModelAssert.SameFiles(folder["merged"], folder["adapted"]);
        using var loaded = CoLMModel.Load(folder["adapted"]);
        Checkpoints.ModelAssert.SameWeights(merged, loaded);
    }

    [TestMethod]
    public void AnAdaptedModelGrowsFromItsMergedWeights()
    {
        using var model = Adapted(kvSharing: true, firstChain: 1, Lora);
        using var merged = model.MergeAdapters();
        using var grown = model.Expand([2], kvSharing: true, seed: 1);
        using var expected = merged.Expand([2], kvSharing: true, seed: 1);
        Assert.IsNull(grown.Adapters);
        Checkpoints.ModelAssert.SameWeights(expected, grown);
        var copied = ChainInitialization.CopyFirstChain;
        using var copy = model.Expand([4], kvSharing: true, initialization: copied);
        using var expectedCopy = merged.Expand([4], kvSharing: true, initialization: copied);
        Checkpoints.ModelAssert.SameWeights(expectedCopy, copy);
        using var ids = TestIds.Of(model.Config, 2, 9);
        using var before = Logits(merged, ids);
        using var after = Logits(grown, ids, chainCount: 4);
        TensorAssert.SameBits(before, after);
    }

    [TestMethod]
    public void AMergedModelOutlivesTheAdaptedOne()
    {
        var model = Adapted(kvSharing: true, firstChain: 1, Lora);
        using var merged = model.MergeAdapters();
        using var ids = TestIds.Of(model.Config, 2, 9);
        using var before = Logits(merged, ids);
        model.Dispose();
        using var after = Logits(merged, ids);
        TensorAssert.SameBits(before, after);
        Assert.ThrowsExactly<ObjectDisposedException>(model.MergeAdapters);
    }

    [TestMethod]
    public void AModelInBFloat16HasAdaptersInFloat32()
    {
        using var model = Model(kvSharing: true, bfloat16);
        model.Adapters = Random(model, 1, Lora);
        Assert.IsTrue(model.Adapters.parameters().All(parameter => parameter.dtype == float32));
        using var merged = model.MergeAdapters();
        using var ids = TestIds.Of(model.Config, 2, 9);
        using var adapted = Logits(model, ids);
        using var plain = Logits(merged, ids);
        Assert.AreEqual(bfloat16, adapted.dtype);
        TensorAssert.RelativelyNear(adapted, plain, 5e-2);
    }

    /// <summary>A model whose adapters have values everywhere.</summary>
    internal static LowRankAdapters Random(CoLMModel model, int firstChain, LoraOptions lora)
    {
        var adapters = new LowRankAdapters(model, firstChain, lora);
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var generator = new Generator(9);
        foreach (var parameter in adapters.parameters())
            parameter.copy_(randn(parameter.shape, generator: generator).mul_(0.3));
        return adapters;
    }

    private static CoLMModel Model(bool kvSharing, ScalarType dtype = ScalarType.Float32) =>
        TestModels.Random(TestModels.Config(4, 2, 4) with { KvSharing = kvSharing }, dtype: dtype);

    private static CoLMModel Adapted(bool kvSharing, int firstChain, LoraOptions lora)
    {
        var model = Model(kvSharing);
        model.Adapters = Random(model, firstChain, lora);
        return model;
    }

    private static Tensor Logits(CoLMModel model, Tensor ids, int chainCount = 3)
    {
        using var noGradients = no_grad();
        return model.forward(ids, chainCount);
    }
}
