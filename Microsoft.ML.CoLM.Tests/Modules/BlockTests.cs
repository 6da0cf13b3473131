using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>A long sequence that goes through each layer block by block.</summary>
[TestClass, DoNotParallelize]
public sealed class BlockTests
{
    private const int Length = 40;

    public static IEnumerable<object[]> Architectures => SequenceTests.Architectures;

    [TestMethod]
    [DynamicData(nameof(Architectures))]
    public void BlocksOfEverySizeGiveTheLogitsOfOnePass(string layout, bool kvSharing, ScalarType dtype)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var config = ChainCausalityTests.Config(layout, 2, kvSharing, tied: false);
        using var model = TestModels.Random(config, dtype: dtype);
        var ids = TestIds.Of(config, 1, Length);
        for (var chainCount = 1; chainCount <= config.Layout.ChainCount; chainCount++)
        {
            model.BlockLength = Length;
            var expected = model.forward(ids, chainCount);
            foreach (var block in new[] { 1, 7, 8, Length - 1 })
            {
                model.BlockLength = block;
                TensorAssert.RelativelyNear(expected.to(float64), model.forward(ids, chainCount),
                    dtype == float32 ? 1e-5 : 0.03, $"{chainCount} chains, blocks of {block}");
            }
        }
    }

    [TestMethod]
    public void ChainsOfABlockAreTheSameToTheBitWhateverStandsBesideThem()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var config = ChainCausalityTests.Config("4,2,6", 2, kvSharing: true, tied: false);
        using var model = TestModels.Random(config);
        model.BlockLength = 9;
        var ids = TestIds.Of(config, 1, Length);
        var all = model.Features(ids, new ChainRange(0, 3));
        for (var chainCount = 1; chainCount < 3; chainCount++)
        {
            var some = model.Features(ids, new ChainRange(0, chainCount));
            TensorAssert.SameBits(some, all.narrow(1, 0, some.size(1)).contiguous(), $"{chainCount} chains");
        }
    }

    [TestMethod]
    public void BatchesAndPassesWithGradientsAreNotDivided()
    {
        using var scope = NewDisposeScope();
        var config = ChainCausalityTests.Config("4,4", 2, kvSharing: false, tied: false);
        using var model = TestModels.Random(config);
        var (one, two) = (TestIds.Of(config, 1, Length), TestIds.Of(config, 2, Length));
        Tensor expected, expectedOfTwo = model.forward(two, 2);
        expected = model.forward(one, 2);
        model.BlockLength = 8;
        TensorAssert.SameBits(expected.detach(), model.forward(one, 2).detach());
        using var noGradients = no_grad();
        TensorAssert.SameBits(expectedOfTwo.detach(), model.forward(two, 2));
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void WhatIsKeptOfChosenRowsIsWhatOnePassKeeps(bool kvSharing)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var config = ChainCausalityTests.Config("4,2,6", 2, kvSharing, tied: false);
        using var model = TestModels.Random(config);
        var (ids, rows) = (TestIds.Of(config, 1, Length), tensor(new long[] { 3, 5, 17, Length - 1 }));
        using var expected = model.Keep(ids, 1, rows);
        model.BlockLength = 8;
        using var actual = model.Keep(ids, 1, rows);
        TensorAssert.RelativelyNear(expected.HeadInput!.to(float64), actual.HeadInput!, 1e-5);
        foreach (var site in Enum.GetValues<FeatureSite>())
        {
            if (!kvSharing && site is FeatureSite.Keys or FeatureSite.Values)
                continue;
            for (var layer = 0; layer < config.LayerCount; layer++)
                TensorAssert.RelativelyNear(expected[layer, site].to(float64), actual[layer, site], 1e-5, $"{layer} {site}");
        }
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    public void ATasksOutputsForALongTextAreThoseOfOnePass(int chainCount)
    {
        using var noGradients = no_grad();
        using var model = TestModels.Random(ChainCausalityTests.Config("4,2,6", 2, kvSharing: true, tied: false));
        using var head = new ChainHead(model.Config, 3, CPU, FeaturePooling.LastToken);
        head.Initialise(seed: 1);
        int[] text = [.. Enumerable.Range(0, Length).Select(i => i * 7 % model.Config.VocabularySize)];
        var scale = new ChainRange(chainCount - 1, chainCount);
        var expected = SequencePredictor.Outputs(model, head, [text], scale)[0][0];
        model.BlockLength = 8;
        var actual = SequencePredictor.Outputs(model, head, [text], scale)[0][0];
        for (var i = 0; i < expected.Length; i++)
            Assert.AreEqual(expected[i], actual[i], 1e-5);
    }
}
