using Microsoft.ML.CoLM.Chains;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>What a position may read, and passes that compute the same in another way.</summary>
[TestClass, DoNotParallelize]
public sealed class SequenceTests
{
    // Relative to the largest element; float32 keeps 6e-8, and a few hundred roundings lie between two ways.
    private const double Rounding = 1e-5;

    public static IEnumerable<object[]> Architectures { get; } =
        from layout in new[] { "4", "4,4", "4,2,6" }
        from kvSharing in new[] { false, true }
        from dtype in new[] { ScalarType.Float32, ScalarType.BFloat16 }
        select new object[] { layout, kvSharing, dtype };

    public static IEnumerable<object[]> Splits { get; } =
        from layout in new[] { "4,4", "4,2,6", "4,8,4,2" }
        from kvSharing in new[] { false, true }
        from tied in new[] { false, true }
        select new object[] { layout, kvSharing, tied };

    [TestMethod]
    [DynamicData(nameof(Architectures))]
    public void ALaterTokenChangesNoEarlierLogit(string layout, bool kvSharing, ScalarType dtype)
    {
        using var noGradients = no_grad();
        var config = ChainCausalityTests.Config(layout, 2, kvSharing, tied: false);
        using var model = TestModels.Random(config, dtype: dtype);
        for (var chainCount = 1; chainCount <= config.Layout.ChainCount; chainCount++)
        {
            foreach (var position in new[] { 1, 2, 15, 16, 17, 31, 39 })
            {
                using var scope = NewDisposeScope();
                var ids = TestIds.Of(config, 2, 40);
                var expected = model.forward(ids, chainCount);
                ids.narrow(1, position, 40 - position).add_(1).remainder_(config.VocabularySize);
                var changed = model.forward(ids, chainCount);
                TensorAssert.SameBits(expected.narrow(1, 0, position), changed.narrow(1, 0, position),
                    $"{chainCount} chains, position {position}");
                var differs = (expected - changed).abs().amax([2]).narrow(1, position, 40 - position);
                Assert.IsTrue(differs.gt(0).all().item<bool>(), $"{chainCount} chains, position {position}");
            }
        }
    }

    [TestMethod]
    [DynamicData(nameof(Splits))]
    public void PaddingToTheRightChangesNoEarlierLogit(string layout, bool kvSharing, bool tied)
    {
        using var noGradients = no_grad();
        var config = ChainCausalityTests.Config(layout, 2, kvSharing, tied);
        using var model = TestModels.Random(config);
        foreach (var length in new[] { 1, 2, 7, 16, 33 })
        {
            using var scope = NewDisposeScope();
            var ids = TestIds.Of(config, 2, length);
            var padded = cat([ids, zeros([2, 20], dtype: int64)], dim: 1);
            for (var chainCount = 1; chainCount <= config.Layout.ChainCount; chainCount++)
            {
                TensorAssert.RelativelyNear(model.forward(ids, chainCount),
                    model.forward(padded, chainCount).narrow(1, 0, length), Rounding, $"{chainCount} chains, {length}");
            }
        }
    }

    [TestMethod]
    [DynamicData(nameof(Splits))]
    public void TheRowsOfABatchAreComputedAsIfAlone(string layout, bool kvSharing, bool tied)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var config = ChainCausalityTests.Config(layout, 2, kvSharing, tied);
        using var model = TestModels.Random(config);
        var ids = TestIds.Of(config, 5, 11);
        for (var chainCount = 1; chainCount <= config.Layout.ChainCount; chainCount++)
        {
            var together = model.forward(ids, chainCount);
            for (var row = 0; row < 5; row++)
            {
                TensorAssert.RelativelyNear(model.forward(ids.narrow(0, row, 1), chainCount),
                    together.narrow(0, row, 1), Rounding, $"{chainCount} chains, row {row}");
            }
        }
    }

    [TestMethod]
    [DynamicData(nameof(Splits))]
    public void AFirstPassOverSomeChainsAndASecondOverTheRestEqualTheWholePass(
        string layout, bool kvSharing, bool tied)
    {
        using var noGradients = no_grad();
        var config = ChainCausalityTests.Config(layout, 2, kvSharing, tied);
        var count = config.Layout.ChainCount;
        using var model = TestModels.Random(config);
        foreach (var (batch, length) in new[] { (1, 1), (2, 7), (3, 16), (1, 33) })
        {
            using var scope = NewDisposeScope();
            var ids = TestIds.Of(config, batch, length);
            var whole = model.Features(ids, new ChainRange(0, count));
            for (var first = 1; first < count; first++)
            {
                using var prefix = model.PrefixWithLogits(ids, first);
                TensorAssert.SameBits(model.forward(ids, first).view(batch * length, -1), prefix.Logits!);

                var rest = new ChainRange(first, count);
                var features = model.Features(ids, rest, prefix);
                TensorAssert.RelativelyNear(whole.narrow(1, whole.size(1) - features.size(1), features.size(1)),
                    features, Rounding, $"features after {first} chains, {batch} x {length}");

                var scales = model.Scales(features, rest, prefix);
                Assert.HasCount(rest.Count, scales);
                for (var chainCount = first + 1; chainCount <= count; chainCount++)
                {
                    TensorAssert.RelativelyNear(model.forward(ids, chainCount).view(batch * length, -1),
                        scales[chainCount - first - 1], Rounding,
                        $"logits at {chainCount} chains after {first}, {batch} x {length}");
                }
            }
        }
    }

    [TestMethod]
    public void AMiddleRangeOfChainsIsComputedOnThoseBeforeItAlone()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var config = ChainCausalityTests.Config("4,2,6", 2, kvSharing: false, tied: false);
        using var model = TestModels.Random(config);
        var ids = TestIds.Of(config, 2, 9);
        using var prefix = model.PrefixWithLogits(ids, 1);
        var middle = model.Features(ids, new ChainRange(1, 2), prefix);
        TensorAssert.RelativelyNear(
            model.Features(ids, new ChainRange(0, 2)).narrow(1, 16, 8), middle, Rounding, "chain 2");
    }

    [TestMethod]
    public void SeveralThreadsComputeWithAModelAtOnce()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var config = ChainCausalityTests.Config("4,2,6", 2, kvSharing: true, tied: false);
        using var model = TestModels.Random(config);
        var ids = TestIds.Of(config, 2, 33);
        Tensor[] expected = [.. Enumerable.Range(1, 3).Select(chainCount => model.forward(ids, chainCount))];
        Parallel.For(0, 60, new ParallelOptions { MaxDegreeOfParallelism = 6 }, i =>
        {
            using var own = no_grad();
            using var logits = model.forward(ids, i % 3 + 1);
            TensorAssert.SameBits(expected[i % 3], logits, $"{i % 3 + 1} chains");
        });
    }
}
