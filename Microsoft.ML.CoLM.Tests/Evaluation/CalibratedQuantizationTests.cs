using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Evaluation;

/// <summary>Chains that are quantised for a sample of text.</summary>
[TestClass, DoNotParallelize]
public sealed class CalibratedQuantizationTests
{
    private static readonly string[] Sample = [.. Enumerable.Range(20, 40).Select(TextModels.Sentence)];

    [TestMethod]
    [DataRow(WeightFormat.Int8, false)]
    [DataRow(WeightFormat.Int4, false)]
    [DataRow(WeightFormat.Int4, true)]
    public void LogitsOnTheSampleChangeLessThanByPlainRounding(WeightFormat format, bool kvSharing)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        using var source = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = kvSharing, HiddenSize = 64, HeadDimension = 16 });
        using var plain = source.Quantize(format);
        using var calibrated = source.Quantize([format, format], Sample);
        var ids = tensor(TextModels.Sentence(60).Select(letter => (long)letter).ToArray()).unsqueeze(0);
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            var exact = source.forward(ids, chainCount);
            Assert.IsLessThan(Error(plain), Error(calibrated), $"{chainCount} chains");

            float Error(CoLMModel model) => (model.forward(ids, chainCount) - exact).norm().item<float>();
        }
    }

    [TestMethod]
    public void WhatAChainBecomesDoesNotDependOnThoseAfterIt()
    {
        using var source = TextModels.Random(4, 4);
        using var first = source.Share(2).Quantize([WeightFormat.Int4, null], Sample);
        using var both = source.Quantize([WeightFormat.Int4, WeightFormat.Int8], Sample);
        using var folder = new TemporaryFolder();
        source.Save(folder.Path, chainCount: 1);
        using var alone = CoLMModel.Load(folder.Path);
        using var one = alone.Quantize([WeightFormat.Int4], Sample);
        ModelAssert.SameWeights(first, one);
        ModelAssert.SameWeights(both, one);
    }

    [TestMethod]
    [DataRow("a", 1)]
    [DataRow("a few words", 16384)]
    public void FewTokensAreEnough(string text, int tokenCount)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        using var source = TextModels.Random(4, 2);
        using var model = source.Quantize([WeightFormat.Int4, WeightFormat.Int4], [text], tokenCount);
        Assert.IsTrue(model.forward(ones([1, 9], dtype: int64), 2).isfinite().all().ToBoolean());
    }

    [TestMethod]
    public void InputsThatAreAllZeroAreNoFault()
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        using var source = TextModels.Random(4);
        foreach (var layer in source.Layers)
            layer.FeedForwardNorm.Weight(0).zero_();
        using var model = source.Quantize([WeightFormat.Int8], Sample);
        Assert.IsTrue(model.forward(ones([1, 9], dtype: int64), 1).isfinite().all().ToBoolean());
    }

    [TestMethod]
    public void WrongSamplesAreRefused()
    {
        using var source = TextModels.Random(4, 2);
        Assert.Contains("have no token", Assert.ThrowsExactly<ArgumentException>(() => source.Quantize([null, null], [])).Message);
        Assert.ThrowsExactly<ArgumentNullException>(() => source.Quantize([null, null], [null!]));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => source.Quantize([null, null], Sample, tokenCount: 0));
        Assert.Contains("each of the 2 chains", Assert.ThrowsExactly<ArgumentException>(() => source.Quantize([null], Sample)).Message);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(
            () => source.Quantize([WeightFormat.Int8, null], Sample, cancellationToken: cancelled.Token));
        using var speechless = TestModels.Random(TestModels.Config(4));
        Assert.Contains("no tokenizer", Assert.ThrowsExactly<InvalidOperationException>(() => speechless.Quantize([null], Sample)).Message);
    }
}
