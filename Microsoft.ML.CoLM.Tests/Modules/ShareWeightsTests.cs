using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>Models that use each other's memory where their weights are the same.</summary>
[TestClass, DoNotParallelize]
public sealed class ShareWeightsTests
{
    [TestMethod]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.BFloat16)]
    public void WhatIsTheSameIsSharedAndTheRestIsNot(ScalarType dtype)
    {
        using var noGradients = no_grad();
        using var model = TestModels.Random(TestModels.Config(4, 2), dtype: dtype);
        using var copy = TestModels.Random(TestModels.Config(4, 2), dtype: dtype);
        using var expected = TestModels.Random(TestModels.Config(4, 2), dtype: dtype);
        var other = copy.named_parameters().Where(entry => ParameterName.Parse(entry.name).Chain == 1).ToArray();
        foreach (var (_, parameter) in other)
            parameter.add_(1);

        Assert.AreEqual(model.ParameterCount(chainCount: 1) * dtype.ElementSize(), model.ShareWeights(copy));
        foreach (var ((name, one), (_, two)) in model.named_parameters().Zip(copy.named_parameters()))
            Assert.AreEqual(ParameterName.Parse(name).Chain == 0, Tuning.ShareMemory(one, two), name);
        ModelAssert.SameWeights(expected, model);

        copy.Dispose();
        ModelAssert.SameWeights(expected, model);
    }

    // Equal numbers, but other bits: a weight stays what it was.
    [TestMethod]
    public void ZerosOfTwoSignsAreNotTheSame()
    {
        using var noGradients = no_grad();
        using var model = TestModels.Random(TestModels.Config(4));
        using var copy = TestModels.Random(TestModels.Config(4));
        model.Norm.Weight(0).zero_();
        copy.Norm.Weight(0).zero_().neg_();
        _ = model.ShareWeights(copy);
        Assert.IsFalse(Tuning.ShareMemory(model.Norm.Weight(0), copy.Norm.Weight(0)));
    }

    [TestMethod]
    public void AModelSharesAllWithItself()
    {
        using var model = TestModels.Random(TestModels.Config(4));
        using var expected = TestModels.Random(TestModels.Config(4));
        Assert.AreEqual(sizeof(float) * model.ParameterCount(chainCount: 1), model.ShareWeights(model));
        ModelAssert.SameWeights(expected, model);
    }

    [TestMethod]
    public void ModelsOfOtherWidthsShareNothing()
    {
        using var model = TestModels.Random(TestModels.Config(4));
        using var other = TestModels.Random(TestModels.Config(4) with { HiddenSize = 32, VocabularySize = 41 });
        using var expected = TestModels.Random(TestModels.Config(4));
        Assert.AreEqual(0, model.ShareWeights(other));
        ModelAssert.SameWeights(expected, model);
    }

    [TestMethod]
    public void DisposedModelsAreRefused()
    {
        using var model = TestModels.Random(TestModels.Config(4));
        var other = TestModels.Random(TestModels.Config(4));
        other.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.ShareWeights(other));
        Assert.ThrowsExactly<ObjectDisposedException>(() => other.ShareWeights(model));
        Assert.ThrowsExactly<ArgumentNullException>(() => model.ShareWeights(null!));
    }
}
