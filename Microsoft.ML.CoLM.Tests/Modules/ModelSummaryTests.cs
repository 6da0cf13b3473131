using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>What a model says of itself, and models that programs make.</summary>
[TestClass, DoNotParallelize]
public sealed class ModelSummaryTests
{
    [TestMethod]
    public void AModelPrintsItsParametersByModuleAndChain()
    {
        using var model = TestModels.Random(TestModels.Config(4, 2) with { KvSharing = true });
        Assert.AreEqual("""
            CoLMModel {4,2}, keys and values shared, Float32 on cpu

            Module                        Chain 1  Chain 2
            ----------------------------  -------  -------
            embed_tokens                      640      320
            2 x input_layernorm                32       16
            2 x self_attn                   1,536      768
            2 x post_attention_layernorm       32       16
            2 x mlp                         2,304    1,728
            norm                               16        8
            lm_head                           640      320
            all                             5,200    3,176
            with those before               5,200    8,376

            Parameters: 8,376, of which 8,376 are trainable
            Context: 64 tokens, vocabulary: 40

            """.ReplaceLineEndings("\n"), model.ToString());
        Assert.AreEqual(model.ParameterCount(2), model.parameters().Sum(parameter => parameter.numel()));
        model.Dispose();
        Assert.AreEqual("CoLMModel {4,2}, disposed", model.ToString());
    }

    [TestMethod]
    public void AModelShowsWhereItIsItsTypeAndItsChains()
    {
        using var model = CoLMModel.Create(TestModels.Config(4, 2), seed: 1, dtype: ScalarType.BFloat16);
        Assert.AreEqual(2, model.ChainCount);
        Assert.AreEqual(ScalarType.BFloat16, model.DataType);
        Assert.AreEqual(DeviceType.CPU, model.Device.type);
    }

    [TestMethod]
    public void AModelOfAConfigurationIsItsSeeds()
    {
        using var model = CoLMModel.Create(TestModels.Config(4, 2), seed: 3);
        using var again = CoLMModel.Create(TestModels.Config(4, 2), seed: 3);
        using var other = CoLMModel.Create(TestModels.Config(4, 2), seed: 4);
        Checkpoints.ModelAssert.SameWeights(model, again);
        using var isEqual = model.Embedding.Weight(0).eq(other.Embedding.Weight(0)).all();
        Assert.IsFalse(isEqual.ToBoolean());
        Assert.Contains("Int64", Assert.ThrowsExactly<ArgumentException>(
            () => CoLMModel.Create(TestModels.Config(4), dtype: ScalarType.Int64)).Message);
        Assert.ThrowsExactly<ArgumentNullException>(() => CoLMModel.Create(null!));
    }

    [TestMethod]
    public void AModelIsAModuleOfIdsAndAChainCount()
    {
        using var model = CoLMModel.Create(TestModels.Config(4, 2), seed: 1);
        nn.Module<Tensor, int, Tensor> module = model;
        using var ids = zeros(1, 3, dtype: int64);
        using var expected = model.forward(ids, 1);
        using var actual = module.call(ids, 1);
        TensorAssert.SameBits(expected, actual);
    }
}
