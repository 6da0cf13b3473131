using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Sweeps that are judged by cross-validation.</summary>
[TestClass, DoNotParallelize]
public sealed class SweepFoldsTests
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(4, 4);
    private readonly ElasticScoringTransformer _source;
    private readonly List<string[]> _seen = [];
    private CoLMModel? _large;

    public SweepFoldsTests() => _source = _mlContext.Scorer(_model);

    [TestCleanup]
    public void Dispose()
    {
        _large?.Dispose();
        _source.Dispose();
        _model.Dispose();
    }

    [TestMethod]
    public void TheMetricIsTheMeanOverFoldsAndTheModelIsOfAllRows()
    {
        var data = _mlContext.Labelled();
        var result = _mlContext.Over(Sweeps.Rates(3e-2), Pipeline).SetDataset(data, fold: 3)
            .SetMetric(SweepMetric.LogLoss).Run();
        var metrics = new List<double>[] { [], [] };
        foreach (var split in _mlContext.Data.CrossValidationSplit(data, 3, seed: 1))
        {
            var fitted = _mlContext.Tuning(_source).Fit(split.TrainSet);
            for (var count = 1; count <= 2; count++)
            {
                using var view = (IDisposable)fitted.WithChainCount(count);
                metrics[count - 1].Add(_mlContext.MulticlassClassification.Evaluate(((ITransformer)view).Transform(split.TestSet)).LogLoss);
            }
            (fitted as IDisposable)!.Dispose();
        }
        var whole = _mlContext.Tuning(_source).Fit(data);
        foreach (var trial in result.Trials)
        {
            var found = metrics[trial.ChainCount - 1];
            Assert.AreEqual(found.Average(), trial.Metric!.Value, 1e-12);
            Assert.AreEqual(Math.Sqrt(found.Sum(metric => Math.Pow(metric - found.Average(), 2)) / 2), trial.MetricDeviation!.Value, 1e-12);
            if (trial.Model is null)
                continue;
            using var view = (IDisposable)whole.WithChainCount(trial.ChainCount);
            CollectionAssert.AreEqual(_mlContext.Predict((ITransformer)view, Tuning.Data).Scores(),
                _mlContext.Predict(trial.Model, Tuning.Data).Scores());
        }
        Sweeps.HasTheModelsOfItsFrontier(result);
        (whole as IDisposable)!.Dispose();
        result.DisposeModels();
    }

    [TestMethod]
    [DataRow(null)]
    [DataRow("Class")]
    public void FoldsWithoutRowsAreRefused(string? samplingKey)
    {
        var data = samplingKey is null ? _mlContext.Data.TakeRows(_mlContext.Labelled(), 3) : _mlContext.Labelled();
        var sweep = _mlContext.Over(Sweeps.Rates(3e-2), Pipeline).SetDataset(data, fold: 20, samplingKey)
            .SetMetric(SweepMetric.LogLoss);
        Assert.Contains("20 folds", Assert.Throws<ArgumentException>(() => sweep.Run()).Message);
    }

    [TestMethod]
    public void ACandidateThatIsBeatenIsNotFittedToAllRows()
    {
        var rows = new List<long>();
        var quality = 10;
        var result = _mlContext.Over(Sweeps.Rates(1, 2), settings => new FakeEstimator(data =>
        {
            rows.Add(data.CountRows());
            return settings.Get<double>("rate") == 1 ? _mlContext.Scorer(_model) : Large();
        })).SetDataset(_mlContext.Labelled(), fold: 2).SetMetric("x", _ => --quality, isMaximized: true).Run();
        Assert.HasCount(5, rows);
        CollectionAssert.AreEqual(new long[] { 12, 12, 12 }, new[] { rows[0] + rows[1], rows[2], rows[3] + rows[4] });
        Assert.IsTrue(result.Trials.Skip(2).All(trial => trial.Model is null));
        Sweeps.HasTheModelsOfItsFrontier(result);
        result.DisposeModels();

        // Larger at either chain count than the first at its largest.
        ElasticScoringTransformer Large() => _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = _large ??= TextModels.Random(TextModels.Config(4, 4) with { HiddenSize = 512, IntermediateSize = 2048, VocabularySize = 5000 }),
        }).Fit(_mlContext.Rows("a"));
    }

    [TestMethod]
    public void RowsOfOneKeyStayInOneFold()
    {
        var result = _mlContext.Over(Sweeps.Rates(1), _ => new FakeEstimator(data =>
        {
            var classes = data.GetTexts("Class");
            Assert.IsFalse(classes.Length == 0);
            _seen.Add(classes.Distinct().Order(StringComparer.Ordinal).ToArray());
            return _mlContext.Scorer(_model);
        })).SetDataset(_mlContext.Labelled(), fold: 2, "Class").SetMetric("x", _ => 1, isMaximized: true).Run();
        Assert.HasCount(3, _seen[0].Concat(_seen[1]).ToArray()); // each class in the training rows of one of the two
        result.DisposeModels();
    }

    [TestMethod]
    public void ModelsOfFoldsAreDisposed()
    {
        var made = new FittedModels();
        var result = _mlContext.Over(Sweeps.Rates(1), _ => made.Of(_mlContext.Tuning(_source))).SetDataset(_mlContext.Labelled(), fold: 2).Run();
        Assert.HasCount(3, made.Models);
        CollectionAssert.AreEqual(new[] { true, true, false }, made.Models.Select(FittedModels.IsDisposed).ToArray());
        result.DisposeModels();
        Assert.IsTrue(FittedModels.IsDisposed(made.Models[2]));
    }

    private IEstimator<ITransformer> Pipeline(SweepSettings settings) => _mlContext.Tuning(_source, settings.Get<double>("rate"));
}
