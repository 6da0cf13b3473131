using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>The model as a module of TorchSharp.</summary>
[TestClass, DoNotParallelize]
public sealed class CoLMModelTests
{
    [TestMethod]
    public void ModelsOutliveTheScopeTheyAreMadeIn()
    {
        using var folder = new TemporaryFolder();
        CoLMModel[] made;
        using (NewDisposeScope())
        {
            var model = TestModels.Random(TestModels.Config(4));
            model.Save(folder.Path);
            made = [model, CoLMModel.Load(folder.Path), model.Expand([4], kvSharing: true),
                (CoLMModel)CoLMModel.Load(folder.Path).to(ScalarType.BFloat16)];
        }
        using var ids = zeros(1, 2, dtype: int64);
        foreach (var model in made)
        {
            using (model)
            using (var logits = model.forward(ids, 1))
                Assert.AreEqual(40, logits.size(2));
        }
    }

    [TestMethod]
    public void ParametersAreNamedLikeHuggingFacesWithOneForEachChain()
    {
        using var model = TestModels.Random(TestModels.Config(4, 2) with { LayerCount = 1, KvSharing = true });
        string[] expected =
        [
            "embed_tokens.chain_1 [40,16]", "embed_tokens.chain_2 [40,8]",
            "layers.0.input_layernorm.chain_1 [16]", "layers.0.input_layernorm.chain_2 [8]",
            "layers.0.self_attn.q_proj.chain_1 [16,16]", "layers.0.self_attn.q_proj.chain_2 [8,24]",
            "layers.0.self_attn.k_proj.chain_1 [8,16]", "layers.0.self_attn.v_proj.chain_1 [8,16]",
            "layers.0.self_attn.o_proj.chain_1 [16,16]", "layers.0.self_attn.o_proj.chain_2 [8,24]",
            "layers.0.post_attention_layernorm.chain_1 [16]", "layers.0.post_attention_layernorm.chain_2 [8]",
            "layers.0.mlp.gate_proj.chain_1 [24,16]", "layers.0.mlp.gate_proj.chain_2 [12,24]",
            "layers.0.mlp.up_proj.chain_1 [24,16]", "layers.0.mlp.up_proj.chain_2 [12,24]",
            "layers.0.mlp.down_proj.chain_1 [16,24]", "layers.0.mlp.down_proj.chain_2 [8,36]",
            "norm.chain_1 [16]", "norm.chain_2 [8]",
            "lm_head.chain_1 [40,16]", "lm_head.chain_2 [40,8]",
        ];
        CollectionAssert.AreEquivalent(expected, Described(model));
        Assert.HasCount(expected.Length, model.parameters());
        Assert.IsEmpty(model.buffers());
    }

    [TestMethod]
    public void WithoutSharingEveryChainHasKeysAndValues()
    {
        using var shared = TestModels.Random(TestModels.Config(4, 2) with { LayerCount = 1, KvSharing = true });
        using var own = TestModels.Random(TestModels.Config(4, 2) with { LayerCount = 1 });
        CollectionAssert.AreEquivalent(
            new[] { "layers.0.self_attn.k_proj.chain_2 [4,24]", "layers.0.self_attn.v_proj.chain_2 [4,24]" },
            Described(own).Except(Described(shared)).ToArray());
        Assert.IsEmpty(Described(shared).Except(Described(own)));
    }

    [TestMethod]
    public void ATiedModelHasNoHeadOfTheFirstChainButOneOfEveryOther()
    {
        using var tied = TestModels.Random(TestModels.Config(4, 2) with { TieWordEmbeddings = true });
        using var own = TestModels.Random(TestModels.Config(4, 2));
        CollectionAssert.AreEqual(
            new[] { "lm_head.chain_1 [40,16]" }, Described(own).Except(Described(tied)).ToArray());
        Assert.IsEmpty(Described(tied).Except(Described(own)));
    }

    [TestMethod]
    public void TheParametersOfAChainCountAreThoseOfAModelOfThatManyChains()
    {
        foreach (var kvSharing in new[] { false, true })
        {
            foreach (var tied in new[] { false, true })
            {
                var config = TestModels.Config(4, 2, 6) with { KvSharing = kvSharing, TieWordEmbeddings = tied };
                using var model = TestModels.Random(config);
                for (var chainCount = 1; chainCount <= 3; chainCount++)
                {
                    using var first = TestModels.Random(config.WithChainCount(chainCount));
                    Assert.AreEqual(first.parameters().Sum(parameter => parameter.numel()),
                        model.ParameterCount(chainCount));
                    Assert.IsEmpty(Described(first).Except(Described(model)));
                }
            }
        }
    }

    [TestMethod]
    public void TheStoryModelHasThePublishedNumberOfParameters()
    {
        using var model = CoLMModel.Load(SharedData.Folder("data", "stories260K"));
        Assert.AreEqual(260_032, model.ParameterCount(1));
    }

    // The method's numbers: what is left of a dense layer's weights.
    [TestMethod]
    [DataRow("8,8,8,8", 0.625)]
    [DataRow("16,16", 0.75)]
    [DataRow("32", 1.0)]
    public void NoZeroBlocksAreStored(string layout, double share)
    {
        var chains = ChainLayout.Parse(layout);
        using var model = TestModels.Random(TestModels.Config() with
        {
            Layout = chains,
            HiddenSize = 2 * chains.Heads[0],
            IntermediateSize = 4 * chains.Heads[0],
            KeyValueHeadCount = null,
            LayerCount = 1,
        });
        const double Dense = 4 * 64 * 64 + 3 * 64 * 128;
        var stored = model.named_parameters()
            .Where(entry => entry.name.Contains("_proj")).Sum(entry => entry.parameter.numel());
        Assert.AreEqual(share, stored / Dense);
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(3)]
    [DataRow(-1)]
    public void AChainCountThatTheModelDoesNotHaveIsRefused(int chainCount)
    {
        using var model = TestModels.Random(TestModels.Config(4, 2));
        using var ids = TestIds.Of(model.Config, 1, 3);
        Action[] uses = [() => model.forward(ids, chainCount), () => model.ParameterCount(chainCount)];
        foreach (var use in uses)
        {
            var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(use);
            Assert.AreEqual("chainCount", error.ParamName);
            Assert.Contains($"2 chains ({{4,2}}), found {chainCount}", error.Message);
        }
    }

    [TestMethod]
    public void TheStateOfOneModelMakesAnotherTheSame()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var config = TestModels.Config(4, 2, 6) with { KvSharing = true, TieWordEmbeddings = true };
        using var model = TestModels.Random(config, seed: 1);
        using var other = TestModels.Random(config, seed: 2);
        Assert.IsFalse(ModelAssert.HaveSameWeights(model, other));

        other.load_state_dict(model.state_dict());
        ModelAssert.SameWeights(model, other);
        var ids = TestIds.Of(config, 2, 7);
        for (var chainCount = 1; chainCount <= 3; chainCount++)
            TensorAssert.SameBits(model.forward(ids, chainCount), other.forward(ids, chainCount));
    }

    [TestMethod]
    public void TheStateHoldsEveryParameterOnceByItsName()
    {
        using var model = TestModels.Random(TestModels.Config(4, 2));
        CollectionAssert.AreEquivalent(
            model.named_parameters().Select(entry => entry.name).ToArray(), model.state_dict().Keys);
    }

    [TestMethod]
    public void AModelWithinAnotherModuleAddsEveryParameterOnceByItsName()
    {
        var model = TestModels.Random(TestModels.Config(4, 2));
        var names = model.named_parameters().Select(entry => $"inner.{entry.name}").ToArray();
        using var outer = new Outer(model);
        CollectionAssert.AreEquivalent(names, outer.named_parameters().Select(entry => entry.name).ToArray());
        CollectionAssert.AreEquivalent(names, outer.state_dict().Keys);
    }

    [TestMethod]
    public void TorchSharpsOwnFilesHoldTheModel()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Random(TestModels.Config(4, 2), seed: 1);
        using var other = TestModels.Random(TestModels.Config(4, 2), seed: 2);
        model.save(folder["model.dat"]);
        other.load(folder["model.dat"]);
        ModelAssert.SameWeights(model, other);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void AModelThatIsMovedToBFloat16AndBackComputesWithTheRoundedWeights(bool tied)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var config = TestModels.Config(4, 2, 6) with { TieWordEmbeddings = tied };
        using var model = TestModels.Random(config);
        using var rounded = TestModels.Random(config);
        using var narrow = TestModels.Random(config, dtype: bfloat16);
        foreach (var parameter in rounded.parameters())
            parameter.copy_(parameter.to(bfloat16));
        var names = Described(model);
        var ids = TestIds.Of(config, 2, 7);

        model.to(bfloat16);
        CollectionAssert.AreEqual(names, Described(model));
        Assert.IsTrue(model.parameters().All(parameter => parameter.dtype == bfloat16 && parameter.requires_grad));
        ModelAssert.SameWeights(narrow, model);
        for (var chainCount = 1; chainCount <= 3; chainCount++)
            TensorAssert.SameBits(narrow.forward(ids, chainCount), model.forward(ids, chainCount));

        model.to(float32);
        Assert.IsTrue(model.parameters().All(parameter => parameter.dtype == float32 && parameter.requires_grad));
        ModelAssert.SameWeights(rounded, model);
        for (var chainCount = 1; chainCount <= 3; chainCount++)
            TensorAssert.SameBits(rounded.forward(ids, chainCount), model.forward(ids, chainCount));
    }

    [TestMethod]
    public void FrozenChainsStayFrozenWhenTheModelIsMoved()
    {
        using var model = TestModels.Random(TestModels.Config());
        using var grown = model.Expand([4], kvSharing: true, seed: 1);
        grown.to(bfloat16).to(float32).to(CPU);
        foreach (var (name, parameter) in grown.named_parameters())
            Assert.AreEqual(ParameterName.Parse(name).Chain == 1, parameter.requires_grad, name);
    }

    [TestMethod]
    public void AMovedModelIsTrained()
    {
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(TestModels.Config(4, 2) with { TieWordEmbeddings = true });
        model.to(bfloat16);
        using var ids = TestIds.Of(model.Config, 2, 7);
        model.forward(ids, 2).sum().backward();
        foreach (var (name, parameter) in model.named_parameters())
            Assert.AreEqual(bfloat16, parameter.grad?.dtype, name);
    }

    [TestMethod]
    public void TrainingAndEvaluationModeComputeTheSame()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var model = TestModels.Random(TestModels.Config(4, 2));
        var ids = TestIds.Of(model.Config, 2, 7);
        model.train();
        var expected = model.forward(ids, 2);
        model.eval();
        TensorAssert.SameBits(expected, model.forward(ids, 2));
    }

    [TestMethod]
    public void ADisposedModelSaysSo()
    {
        using var ids = TestIds.Of(TestModels.Config(), 1, 3);
        var model = TestModels.Random(TestModels.Config(4, 2));
        model.Dispose();
        model.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.forward(ids, 1));
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.ParameterCount(1));
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.Expand([4], kvSharing: true));
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.Save("nowhere"));
    }

    private static string[] Described(CoLMModel model) =>
        [.. model.named_parameters().Select(entry => $"{entry.name} [{string.Join(',', entry.parameter.shape)}]")];

    private sealed class Outer : nn.Module
    {
        public Outer(CoLMModel model) : base(nameof(Outer)) => register_module("inner", model);
    }
}
