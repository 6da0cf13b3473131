using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>The model beside a plain implementation of the same formulas.</summary>
[TestClass, DoNotParallelize]
public sealed class ReferenceComparisonTests
{
    private const double Tolerance = 1e-4;

    // Four heads in the first chain: MHA has 4 KV heads, GQA 2, and 1 is shared by all of the chain.
    public static IEnumerable<object[]> Architectures { get; } =
        from layout in new[] { "4", "4,4", "4,2", "4,8", "4,4,8", "4,2,6", "4,8,4,4", "4,4,4,4,4" }
        from keyValueHeads in new[] { 4, 2, 1 }
        from kvSharing in new[] { false, true }
        let heads = ChainLayout.Parse(layout).Heads
        where heads.All(count => kvSharing ? count % keyValueHeads == 0 : count * keyValueHeads % 4 == 0)
        select new object[] { layout, keyValueHeads, kvSharing };

    [TestMethod]
    public void TheArchitecturesThatAreComparedAreManyOfEachKind()
    {
        Assert.HasCount(44, Architectures);
        foreach (var keyValueHeads in new[] { 4, 2, 1 })
        {
            foreach (var kvSharing in new[] { false, true })
            {
                Assert.IsGreaterThanOrEqualTo(5,
                    Architectures.Count(row => row[1].Equals(keyValueHeads) && row[2].Equals(kvSharing)));
            }
        }
    }

    [TestMethod]
    [DynamicData(nameof(Architectures))]
    public void LogitsAreThoseOfThePlainFormulas(string layout, int keyValueHeads, bool kvSharing)
    {
        using var noGradients = no_grad();
        foreach (var tied in new[] { false, true })
        {
            foreach (var scaling in new[] { null, new Llama3RopeScaling(8, 1, 4, 16) })
            {
                Compare(Config(layout, keyValueHeads, kvSharing) with
                {
                    TieWordEmbeddings = tied,
                    RopeScaling = scaling,
                    RopeTheta = scaling is null ? 10000 : 100,
                    HeadDimension = tied ? 6 : null,        // else 4, the features' share
                });
            }
        }
    }

    /// <summary>
    /// What bfloat16 costs is not for a test to guess: the reference is computed once exactly and once with every
    /// result rounded to bfloat16, as any program in that type must store it. The model may be as far from the exact
    /// logits as that one is, in the mean over all logits. It stores the same results (attention, one fused operation,
    /// even fewer), but sums in another order, so that some fall on the other side of a rounding: a tenth is allowed
    /// for that. The largest error is that of one logit of thousands, and is allowed to be half as large again.
    /// </summary>
    [TestMethod]
    [DataRow("4", 2, false)]
    [DataRow("4,4", 4, false)]
    [DataRow("4,2,6", 2, true)]
    [DataRow("4,4,8", 4, true)]
    [DataRow("4,2,6", 2, false)]
    public void LogitsInBFloat16AreAsNearToTheFormulasAsRoundingAllows(
        string layout, int keyValueHeads, bool kvSharing) =>
        CompareInBFloat16(Config(layout, keyValueHeads, kvSharing) with { HiddenSize = 64, IntermediateSize = 96 });

    [TestMethod]
    public void AChainOneFeatureWideIsComputedLikeAnyOther()
    {
        using var noGradients = no_grad();
        var config = Config("64,1", 64, kvSharing: false) with
        {
            HiddenSize = 64,
            IntermediateSize = 64,
            HeadDimension = 2,
        };
        Compare(config, batch: 4, length: 24);
        CompareInBFloat16(config);
    }

    [TestMethod]
    [DataRow(1, 1)]
    [DataRow(1, 64)]
    [DataRow(5, 3)]
    public void EveryBatchAndLengthIsThoseOfThePlainFormulas(int batch, int length)
    {
        using var noGradients = no_grad();
        Compare(Config("4,2,6", 2, kvSharing: true), batch, length);
        Compare(Config("4,2,6", 2, kvSharing: false), batch, length);
    }

    [TestMethod]
    public void TheModelIsTheSameWithGradientsAndWithout()
    {
        using var scope = NewDisposeScope();
        foreach (var kvSharing in new[] { false, true })
        {
            var config = Config("4,2,6", 2, kvSharing);
            using var model = TestModels.Random(config);
            var ids = TestIds.Of(config, 3, 17);
            for (var chainCount = 1; chainCount <= 3; chainCount++)
            {
                var recorded = model.forward(ids, chainCount);
                Assert.IsTrue(recorded.requires_grad);
                using var noGradients = no_grad();
                var plain = model.forward(ids, chainCount);
                Assert.IsFalse(plain.requires_grad);
                TensorAssert.SameBits(plain, recorded, $"{chainCount} chains");
            }
        }
    }

    private static CoLMConfig Config(string layout, int keyValueHeads, bool kvSharing) => TestModels.Config() with
    {
        Layout = ChainLayout.Parse(layout),
        KeyValueHeadCount = keyValueHeads,
        KvSharing = kvSharing,
    };

    private static void Compare(CoLMConfig config, int batch = 2, int length = 9)
    {
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(config);
        using var reference = ReferenceModel.Of(model);
        var ids = TestIds.Of(config, batch, length);
        for (var chainCount = 1; chainCount <= config.Layout.ChainCount; chainCount++)
        {
            var logits = model.forward(ids, chainCount);
            Assert.AreEqual(float32, logits.dtype);
            TensorAssert.Near(reference.Logits(ids, chainCount), logits, Tolerance, $"{config}, {chainCount} chains");
        }
    }

    private static void CompareInBFloat16(CoLMConfig config)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var model = CoLMModel.Create(config, seed: 4, CPU, bfloat16);
        foreach (var (name, parameter) in model.named_parameters())
        {
            if (parameter.dim() == 2)
                parameter.mul_(name.Contains("embed") ? 20 : 5);
        }
        using var exact = ReferenceModel.Of(model);
        using var rounded = ReferenceModel.Of(model, bfloat16);
        var ids = TestIds.Of(config, batch: 4, length: 24);
        for (var chainCount = 1; chainCount <= config.Layout.ChainCount; chainCount++)
        {
            var expected = exact.Logits(ids, chainCount);
            var unavoidable = rounded.Logits(ids, chainCount) - expected;
            var logits = model.forward(ids, chainCount);
            Assert.AreEqual(bfloat16, logits.dtype);
            var error = logits.to(float64) - expected;
            TensorAssert.AtMost(1.1 * RootMeanSquare(unavoidable), RootMeanSquare(error), $"{chainCount} chains, mean");
            TensorAssert.AtMost(1.5 * Largest(unavoidable), Largest(error), $"{chainCount} chains, largest");
        }
    }

    private static double RootMeanSquare(Tensor x) => Math.Sqrt(x.square().mean().item<double>());

    private static double Largest(Tensor x) => x.abs().max().item<double>();
}
