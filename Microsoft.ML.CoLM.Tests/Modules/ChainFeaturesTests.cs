using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Estimators;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

[TestClass, DoNotParallelize]
public sealed class ChainFeaturesTests
{
    private const double Rounding = 1e-5;

    private static readonly ChainRange First = new(0, 1);
    private static readonly ChainRange Second = new(1, 2);
    private static readonly ChainRange Third = new(2, 3);

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void LaterChainsRunOnTheFeaturesOfSomeSequencesAlone(bool kvSharing)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var model = Model(kvSharing);
        var ids = TestIds.Of(model.Config, 5, 11);
        var some = tensor([4L, 0L, 3L]);
        using var whole = Kept(model, ids, First);
        var expected = model.Features(ids, Second, whole).view(5, 11, -1).index_select(0, some);

        whole.Take(some, batch: 5);
        var found = model.Features(ids.index_select(0, some), Second, whole);
        TensorAssert.RelativelyNear(expected.reshape(33, -1), found, Rounding, "the second chain");
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void FeaturesThatWereAppendedAreThoseOfOnePass(bool kvSharing)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var model = Model(kvSharing);
        var ids = TestIds.Of(model.Config, 3, 9);
        using var together = Kept(model, ids, new ChainRange(0, 2));
        using var apart = Kept(model, ids, First);
        using (var second = Kept(model, ids, Second, apart))
            apart.Append(second);
        for (var layer = 0; layer < model.Config.LayerCount; layer++)
        {
            foreach (var site in Enum.GetValues<FeatureSite>())
            {
                if (!kvSharing && site is FeatureSite.Keys or FeatureSite.Values)
                    continue;
                CollectionAssert.AreEqual(together[layer, site].shape, apart[layer, site].shape, $"{site}");
                TensorAssert.RelativelyNear(together[layer, site], apart[layer, site], Rounding, $"{site}");
            }
        }
        TensorAssert.RelativelyNear(
            model.Features(ids, Third, together), model.Features(ids, Third, apart), Rounding, "the third chain");
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void NothingIsLeftOfFeaturesThatWereAppendedAndTaken(bool kvSharing)
    {
        using var noGradients = no_grad();
        using var model = Model(kvSharing);
        using var ids = TestIds.Of(model.Config, 3, 9);
        using var some = tensor([2L, 1L]);
        void Use()
        {
            using var scope = NewDisposeScope();
            using var first = Kept(model, ids, First);
            using (var second = Kept(model, ids, Second, first))
                first.Append(second);
            first.Take(some, batch: 3);
        }
        Use();
        var before = LiveTensors.CountSettled();
        Use();
        Assert.AreEqual(before, LiveTensors.Count);
    }

    private static CoLMModel Model(bool kvSharing) =>
        TestModels.Random(TestModels.Config(4, 2, 6) with { KvSharing = kvSharing });

    private static ChainFeatures Kept(
        CoLMModel model, Tensor ids, ChainRange chains, ChainFeatures? earlier = null)
    {
        var kept = new ChainFeatures(model.Config.LayerCount);
        model.Features(ids, chains, earlier, kept);
        return kept;
    }
}
