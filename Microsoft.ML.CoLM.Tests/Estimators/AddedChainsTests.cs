using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Chains that a model cannot be grown by are refused before anything is trained.</summary>
[TestClass, DoNotParallelize]
public sealed class AddedChainsTests : IDisposable
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // 8 heads, 4 key-value heads, 48 features between the layers.
    [TestMethod]
    [DataRow(new[] { 4, 5 }, true, "AddedChains[1] is 5", "4 and 8")]
    [DataRow(new[] { 2 }, true, "AddedChains[0] is 2", "4 and 8")]
    [DataRow(new[] { 11 }, true, "AddedChains[0] is 11", "8 and 12")]
    [DataRow(new[] { 3 }, false, "AddedChains[0] is 3", "2 and 4")]
    [DataRow(new[] { 0 }, true, "AddedChains[0] is 0", "4 and 8")]
    public void TheCatalogRefusesThemWithTheNearestThatFit(int[] added, bool kvSharing, string named, string nearest)
    {
        using var model = Saved();
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => _mlContext.Transforms.ChainExpansion(_folder.Path, added, kvSharing));
        Assert.Contains(named, error.Message);
        Assert.Contains($"the nearest that fit are {nearest}", error.Message);
        Assert.AreEqual("AddedChains", error.ParamName);
        var options = new ChainExpansionEstimator.Options { Model = model, AddedChains = added, KvSharing = kvSharing };
        Assert.AreEqual(error.Message, Assert.ThrowsExactly<ArgumentException>(
            () => _mlContext.Transforms.ChainExpansion(options)).Message);
        using var source = _mlContext.Scorer(model);
        Assert.AreEqual(error.Message, Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Transforms.ChainTuning(
            new ChainTuningEstimator.Options { Transformer = source, AddedChains = added, KvSharing = kvSharing })).Message);
    }

    [TestMethod]
    public void TheNearestDoFit()
    {
        using var model = Saved();
        foreach (var (added, kvSharing) in ((int, bool)[])[(4, true), (8, true), (12, true), (2, false), (4, false)])
        {
            _mlContext.Transforms.ChainExpansion(_folder.Path, [added], kvSharing);
            model.Expand([added], kvSharing).Dispose();
        }
        foreach (var (added, kvSharing) in ((int, bool)[])[(5, true), (2, true), (11, true), (3, false)])
            Assert.ThrowsExactly<ArgumentException>(() => model.Expand([added], kvSharing));
    }

    [TestMethod]
    public void CopiesHaveTheFirstChainsHeads()
    {
        using var model = Saved();
        var options = new ChainExpansionEstimator.Options
        {
            ModelFolder = _folder.Path,
            AddedChains = [8, 4],
            Initialization = ChainInitialization.CopyFirstChain,
        };
        var error = Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Transforms.ChainExpansion(options));
        Assert.Contains("AddedChains[1] is 4", error.Message);
        Assert.Contains("the only number that fits is 8", error.Message);
        options.AddedChains = [8, 8];
        _mlContext.Transforms.ChainExpansion(options);
    }

    // What the folder will hold when the estimator is fitted is not known yet.
    [TestMethod]
    public void AFolderThatIsNotThereYetIsLookedAtWhenTheEstimatorIsFitted()
    {
        var estimator = _mlContext.Transforms.ChainExpansion(_folder["later"], [5]);
        Assert.Throws<IOException>(() => estimator.Fit(_mlContext.Rows("a")));
        File.WriteAllText(_folder["config.json"], "{");
        _mlContext.Transforms.ChainExpansion(_folder.Path, [5]);
    }

    private CoLMModel Saved()
    {
        var model = TextModels.Random(TextModels.Config(8) with
        {
            HiddenSize = 32,
            IntermediateSize = 48,
            KeyValueHeadCount = 4,
        });
        model.Save(_folder.Path);
        return model;
    }
}
