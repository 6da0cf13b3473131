using System.Text.Json;
using Microsoft.ML.CoLM.Sweeping;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>A cascade says whether its rows stop at losses or at margins.</summary>
[TestClass, DoNotParallelize]
public sealed class CascadeKindTests : IDisposable
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });

    public void Dispose() => _model.Dispose();

    [TestMethod]
    public void MarginsAreRefusedByALanguageModelAndLossesByAClassifier()
    {
        CascadeOptions losses = new() { ChainCounts = [1, 2], MaximumLosses = [0.5] };
        CascadeOptions margins = new() { ChainCounts = [1, 2], MinimumMargins = [0.5] };
        using var scorer = _mlContext.Scorer(_model);
        using var tuned = _mlContext.Tune(Tuning.Steps(scorer, steps: 1));
        foreach (var refuse in (Action[])[
            () => scorer.WithCascade(margins),
            () => _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = _model, Cascade = margins })])
        {
            var error = Assert.ThrowsExactly<ArgumentException>(refuse);
            Assert.Contains("Cascade.MinimumMargins must be left out", error.Message);
            Assert.Contains("give MaximumLosses", error.Message);
        }
        var other = Assert.ThrowsExactly<ArgumentException>(() => tuned.WithCascade(losses));
        Assert.Contains("Cascade.MaximumLosses must be left out", other.Message);
        Assert.Contains("give MinimumMargins", other.Message);
        scorer.WithCascade(losses).Dispose();
        tuned.WithCascade(margins).Dispose();
    }

    [TestMethod]
    public void BothAtOnceAreRefused()
    {
        using var scorer = _mlContext.Scorer(_model);
        var error = Assert.ThrowsExactly<ArgumentException>(() => scorer.WithCascade(
            new() { ChainCounts = [1, 2], MaximumLosses = [0.5], MinimumMargins = [0.5] }));
        Assert.Contains("Cascade.MinimumMargins must be left out with MaximumLosses", error.Message);
    }

    [TestMethod]
    public void CalibrationSaysWhich()
    {
        using var scorer = _mlContext.Scorer(_model);
        using var tuned = _mlContext.Tune(Tuning.Steps(scorer, steps: 1));
        var ofTexts = _mlContext.CoLM().CalibrateCascade(scorer, _mlContext.Rows(TextModels.Texts), 5).Cascade;
        Assert.IsEmpty(ofTexts.MinimumMargins);
        var ofClasses = _mlContext.CoLM().CalibrateCascade(tuned, _mlContext.Keyed(), 0.9).Cascade;
        Assert.IsEmpty(ofClasses.MaximumLosses);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void ATrialOfAFolderKnowsWhichAlsoOfALineThatDoesNotSayIt(bool stopsByLoss)
    {
        var cascade = CascadeOptions.Of([1, 3], [0.5], stopsByLoss);
        var record = TrialRecord.Of(new() { Id = 1, ChainCount = 3, Cascade = cascade, Settings = new() });
        var read = JsonSerializer.Deserialize<TrialRecord>(JsonSerializer.Serialize(record))!;
        Assert.AreEqual($"{cascade}", $"{read.ToTrial(new(), !stopsByLoss).Cascade}");
        var earlier = JsonSerializer.Deserialize<TrialRecord>(
            """{"Id":1,"ChainCount":3,"CascadeChainCounts":[1,3],"CascadeThresholds":[0.5],"State":0}""")!;
        Assert.AreEqual($"{cascade}", $"{earlier.ToTrial(new(), stopsByLoss).Cascade}");
    }

    [TestMethod]
    public void ItsTextHasItsNumbers() => Assert.AreEqual("ChainCounts 1, 3, MinimumMargins 0.25",
        $"{new CascadeOptions { ChainCounts = [1, 3], MinimumMargins = [0.25] }}");
}
