using Microsoft.ML.CoLM.Sweeping;
using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Cascades as trials of a sweep.</summary>
[TestClass, DoNotParallelize]
public sealed class CascadeSweepTests
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(4, 4);
    private readonly ElasticScoringTransformer _source;

    public CascadeSweepTests() => _source = _mlContext.Scorer(_model);

    [TestCleanup]
    public void Dispose()
    {
        _source.Dispose();
        _model.Dispose();
    }

    [TestMethod]
    public void EachToleranceIsATrialBehindTheChainCounts()
    {
        var rows = _mlContext.Rows(TextModels.Texts);
        var result = _mlContext.CreateQuickSweep().SetModel(_source).SetDataset(rows, rows).SetMetric(SweepMetric.Loss)
            .SetCascadeCalibration(rows, 0, double.MaxValue).Run();
        Assert.HasCount(4, result.Trials);
        var ofCounts = _mlContext.CoLM().EvaluateChainCounts(_source, rows);
        for (var i = 0; i < 2; i++)
        {
            Assert.IsNull(result.Trials[i].Cascade);
            Assert.AreEqual(ofCounts[i].Loss, result.Trials[i].Metric);
        }
        foreach (var (trial, tolerance) in result.Trials.Skip(2).Zip([0, double.MaxValue]))
        {
            Assert.AreEqual(SweepTrialState.Completed, trial.State, trial.Error);
            var expected = _mlContext.CoLM().CalibrateCascade(_source, rows, tolerance).Cascade;
            CollectionAssert.AreEqual(expected.ChainCounts.ToArray(), trial.Cascade!.ChainCounts.ToArray());
            CollectionAssert.AreEqual(expected.Thresholds.ToArray(), trial.Cascade.MaximumLosses.ToArray());
            Assert.AreEqual(expected.ChainCounts[^1], trial.ChainCount);
            using var cascade = _source.WithCascade(expected);
            Assert.AreEqual(cascade.Transform(rows).GetMeanLoss(_mlContext), trial.Metric!.Value, 1e-9);
            CollectionAssert.AreEqual(cascade.Score(_mlContext, "some text").Select(row => row.LogProbability).ToArray(),
                trial.Model!.Score(_mlContext, "some text").Select(row => row.LogProbability).ToArray());
        }
        result.DisposeModels();
    }

    [TestMethod]
    public void CandidatesAndFoldsHaveThemToo()
    {
        var data = _mlContext.Labelled();
        var result = _mlContext.Over(Sweeps.Rates(3e-2), _ => _mlContext.Tuning(_source))
            .SetCascadeCalibration(data, 0.5).Run();
        Assert.HasCount(3, result.Trials);
        Assert.AreEqual(SweepTrialState.Completed, result.Trials[2].State, result.Trials[2].Error);
        Assert.IsNotNull(result.Trials[2].Cascade);
        result.DisposeModels();

        result = _mlContext.Over(Sweeps.Rates(3e-2), _ => _mlContext.Tuning(_source)).SetDataset(data, fold: 2)
            .SetCascadeCalibration(data, 0.5).Run();
        Assert.IsNotNull(result.Trials[2].Cascade, result.Trials[2].Error);
        Assert.IsNotNull(result.Trials[2].MetricDeviation);
        result.DisposeModels();
    }

    [TestMethod]
    public void ACascadeThatFailsOnAllRowsFailsAlone()
    {
        var (data, fits) = (_mlContext.Labelled(), 0);
        var rows = new StoppableDataView(data, () => _ = fits < 3 ? 0 : throw new FormatException("no more"));
        var result = _mlContext.Over(Sweeps.Rates(3e-2), _ => new FakeEstimator(train =>
        {
            fits++;
            return _mlContext.Tuning(_source).Fit(train);
        })).SetDataset(data, fold: 2).SetCascadeCalibration(rows, 0.5).Run();
        Assert.AreEqual(SweepTrialState.Failed, result.Trials[2].State);
        Assert.Contains("no more", result.Trials[2].Error!);
        Assert.AreEqual(SweepTrialState.Completed, result.Trials[0].State, result.Trials[0].Error);
        Sweeps.HasTheModelsOfItsFrontier(result);
        result.DisposeModels();
    }

    [TestMethod]
    public void ATaskWithoutCascadesFailsInThatTrialAlone()
    {
        var data = _mlContext.Labelled();
        var result = _mlContext.Over(new SweepSpace().Choice("count", 1, 2), settings =>
            _mlContext.FeaturesPipeline(_model, settings.Get<int>("count"))).SetCascadeCalibration(data, 0.1).Run();
        Assert.HasCount(4, result.Trials);
        Assert.AreEqual(SweepTrialState.Failed, result.Trials[1].State);
        Assert.IsNotNull(result.Trials[1].Error);
        Assert.AreEqual(SweepTrialState.Completed, result.Trials[2].State, result.Trials[2].Error);
        result.DisposeModels();
    }

    [TestMethod]
    public void ACascadeComesBackFromAFolder()
    {
        using var folder = new Checkpoints.TemporaryFolder();
        var rows = _mlContext.Rows(TextModels.Texts);
        ChainSweep Sweep() => _mlContext.CreateQuickSweep().SetModel(_source).SetDataset(rows, rows).SetMetric(SweepMetric.Loss)
            .SetCascadeCalibration(rows, double.MaxValue).SetCheckpoint(folder.Path);
        var (first, second) = (Sweep().Run(), Sweep().Run());
        CollectionAssert.AreEqual(first.Trials[2].Cascade!.MaximumLosses.ToArray(), second.Trials[2].Cascade!.MaximumLosses.ToArray());
        CollectionAssert.AreEqual(first.Trials[2].Model!.Score(_mlContext, "some text").Select(row => row.LogProbability).ToArray(),
            second.Trials[2].Model!.Score(_mlContext, "some text").Select(row => row.LogProbability).ToArray());
        first.DisposeModels();
        second.DisposeModels();
    }
}
