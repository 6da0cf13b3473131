using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>New chains that start as copies of the first.</summary>
[TestClass, DoNotParallelize]
public sealed class CopiedChainTests
{
    public static IEnumerable<object[]> Expansions { get; } =
        from before in new[] { "4", "4,2" }
        from added in new[] { "4", "4,4" }
        from kvSharing in new[] { false, true }
        select new object[] { before, added, kvSharing };

    [TestMethod]
    [DynamicData(nameof(Expansions))]
    public void TheGrownModelComputesWhatItsBaseDoesAtEveryChainCount(string before, string added, bool kvSharing)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var model = Base(before, kvSharing);
        using var grown = Copied(model, added, kvSharing);
        var ids = TestIds.Of(model.Config, 3, 9);
        for (var chainCount = 1; chainCount <= grown.Config.ChainCount; chainCount++)
        {
            var expected = model.forward(ids, Math.Min(chainCount, model.Config.ChainCount));
            TensorAssert.SameBits(expected, grown.forward(ids, chainCount), $"{chainCount} chains");
        }
    }

    // With the first chain's language head, a chain of the first one's features gives its logits.
    [TestMethod]
    [DynamicData(nameof(Expansions))]
    public void TheFeaturesOfEachNewChainAreThoseOfTheFirst(string before, string added, bool kvSharing)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var model = Base(before, kvSharing);
        using var grown = Copied(model, added, kvSharing);
        var ids = TestIds.Of(model.Config, 3, 9);
        var first = grown.forward(ids, 1);
        for (var chain = model.Config.ChainCount; chain < grown.Config.ChainCount; chain++)
        {
            grown.Head.HeadWeight(chain).Numbers!.copy_(grown.Head.HeadWeight(0).Numbers!);
            TensorAssert.Near(first, grown.forward(ids, chain + 1) - grown.forward(ids, chain), 1e-5, $"chain {chain}");
        }
    }

    [TestMethod]
    public void OnlyTheFirstChainIsFrozenAndNoMemoryIsShared()
    {
        using var model = Base("4", kvSharing: false);
        using var expected = Base("4", kvSharing: false);
        using var grown = Copied(model, "4", kvSharing: false);
        foreach (var (name, parameter) in grown.named_parameters())
        {
            Assert.AreEqual(ParameterName.Parse(name).Chain > 0, parameter.requires_grad, name);
            using var noGradients = no_grad();
            parameter.zero_();
        }
        ModelAssert.SameWeights(expected, model);
    }

    [TestMethod]
    public void ChainsThatAreNotAsWideAsTheFirstAreRefused()
    {
        using var model = Base("4", kvSharing: true);
        var error = Assert.ThrowsExactly<ArgumentException>(() => Copied(model, "4,2", kvSharing: true));
        Assert.AreEqual("addedChains", error.ParamName);
        Assert.Contains("its 4 heads each, found [4, 2]", error.Message);
    }

    [TestMethod]
    public void AnInitializationThatThereIsNotIsRefused()
    {
        using var model = Base("4", kvSharing: true);
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => model.Expand([4], kvSharing: true, initialization: (ChainInitialization)5));
        Assert.AreEqual("initialization", error.ParamName);
        Assert.Contains("found 5", error.Message);
    }

    private static CoLMModel Base(string layout, bool kvSharing) =>
        TestModels.Random(TestModels.Config([.. ChainLayout.Parse(layout).Heads]) with { KvSharing = kvSharing });

    private static CoLMModel Copied(CoLMModel model, string added, bool kvSharing) => model.Expand(
        [.. ChainLayout.Parse(added).Heads], kvSharing, initialization: ChainInitialization.CopyFirstChain);
}
