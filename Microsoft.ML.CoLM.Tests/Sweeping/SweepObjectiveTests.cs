using Microsoft.ML.CoLM.Sweeping;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>What a sweep judges by, against ML.NET's own evaluators on the same scored rows.</summary>
[TestClass, DoNotParallelize]
public sealed class SweepObjectiveTests
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });
    private readonly ElasticScoringTransformer _source;

    public SweepObjectiveTests() => _source = _mlContext.Scorer(_model);

    [TestCleanup]
    public void Dispose()
    {
        _source.Dispose();
        _model.Dispose();
    }

    [TestMethod]
    public void LossesAndErrorsAreMinimizedAndAllElseMaximized()
    {
        SweepMetric[] minimized =
            [SweepMetric.Loss, SweepMetric.Perplexity, SweepMetric.LogLoss, SweepMetric.RootMeanSquaredError];
        foreach (var metric in Enum.GetValues<SweepMetric>())
        {
            var objective = SweepObjective.Of(_mlContext, metric, "Label");
            Assert.AreEqual(!minimized.Contains(metric), objective.IsMaximized, metric.ToString());
            Assert.AreEqual(metric.ToString(), objective.Name);
        }
    }

    [TestMethod]
    public void BinaryMetricsAreTheEvaluators()
    {
        var rows = _mlContext.Labelled();
        using var tuned = _mlContext.Tune(Options("IsWarm", steps: 3), rows);
        var expected = _mlContext.BinaryClassification.Evaluate(tuned.Transform(rows), "IsWarm");
        AreEqual(tuned, rows, "IsWarm", new()
        {
            [SweepMetric.Accuracy] = expected.Accuracy,
            [SweepMetric.F1Score] = expected.F1Score,
            [SweepMetric.AreaUnderRocCurve] = expected.AreaUnderRocCurve,
            [SweepMetric.LogLoss] = expected.LogLoss,
            [SweepMetric.MatthewsCorrelation] = MatthewsOfTwo(expected.ConfusionMatrix),
        });
    }

    [TestMethod]
    public void MulticlassMetricsAreTheEvaluatorsAlsoWithMappingsAround()
    {
        var rows = _mlContext.Labelled();
        using var fitted = _mlContext.Transforms.Conversion.MapValueToKey("Label", "Class")
            .Append(_mlContext.Transforms.ChainTuning(Options("Label", steps: 3)))
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel"))
            .Fit(rows);
        var expected = _mlContext.MulticlassClassification.Evaluate(fitted.Transform(rows));
        AreEqual(fitted, rows, "Label", new()
        {
            [SweepMetric.MicroAccuracy] = expected.MicroAccuracy,
            [SweepMetric.MacroAccuracy] = expected.MacroAccuracy,
            [SweepMetric.LogLoss] = expected.LogLoss,
        });
    }

    [TestMethod]
    public void RegressionMetricsAreTheEvaluators()
    {
        var rows = _mlContext.Labelled();
        using var tuned = _mlContext.Tune(Options("Degrees", steps: 3), rows);
        var expected = _mlContext.Regression.Evaluate(tuned.Transform(rows), "Degrees");
        AreEqual(tuned, rows, "Degrees", new()
        {
            [SweepMetric.RSquared] = expected.RSquared,
            [SweepMetric.RootMeanSquaredError] = expected.RootMeanSquaredError,
        });
    }

    [TestMethod]
    public void ATrainerBehindFeaturesIsJudgedByWhatItPredicts()
    {
        var rows = _mlContext.Labelled();
        using var calibrated = Features().Append(_mlContext.BinaryClassification.Trainers.SdcaLogisticRegression(
            "IsWarm", maximumNumberOfIterations: 2)).Fit(rows);
        AreEqual(calibrated, rows, "IsWarm", new()
        {
            [SweepMetric.LogLoss] = _mlContext.BinaryClassification.Evaluate(calibrated.Transform(rows), "IsWarm").LogLoss,
        });
        using var scores = Features().Append(_mlContext.BinaryClassification.Trainers.SdcaNonCalibrated(
            "IsWarm", maximumNumberOfIterations: 2)).Fit(rows);
        var expected = _mlContext.BinaryClassification.EvaluateNonCalibrated(scores.Transform(rows), "IsWarm");
        AreEqual(scores, rows, "IsWarm", new()
        {
            [SweepMetric.Accuracy] = expected.Accuracy,
            [SweepMetric.AreaUnderRocCurve] = expected.AreaUnderRocCurve,
        });
        var refused = Assert.ThrowsExactly<ArgumentException>(() => Objective(SweepMetric.LogLoss, "IsWarm").Check(scores, rows));
        StringAssert.Contains(refused.Message,
            "Metrics that fit are Accuracy, F1Score, AreaUnderRocCurve, MatthewsCorrelation. ");
    }

    [TestMethod]
    public void MatthewsCorrelationIsThatOfIndicatorsAndOfSeveralClasses()
    {
        Assert.AreEqual((6.0 * 3 - 1 * 2) / Math.Sqrt(7.0 * 8 * 4 * 5), Matthews.Correlation([[6, 2], [1, 3]]), 1e-12);
        Assert.AreEqual(1, Matthews.Correlation([[2, 0, 0], [0, 3, 0], [0, 0, 4]]), 1e-12);
        Assert.AreEqual(-1, Matthews.Correlation([[0, 4], [4, 0]]), 1e-12);
        // scikit-learn: matthews_corrcoef([0,0,0,1,1,1,2,2,2,2], [0,0,1,1,1,2,2,2,0,0])
        Assert.AreEqual((6.0 * 10 - (4 * 3 + 3 * 3 + 3 * 4)) / Math.Sqrt((100.0 - 34) * (100 - 34)),
            Matthews.Correlation([[2, 1, 0], [0, 2, 1], [2, 0, 2]]), 1e-12);
        Assert.AreEqual(0, Matthews.Correlation([[5, 0], [3, 0]]));
    }

    [TestMethod]
    [DataRow(SweepMetric.AreaUnderRocCurve, "IsWarm")]
    [DataRow(SweepMetric.LogLoss, "IsWarm")]
    [DataRow(SweepMetric.MacroAccuracy, "Label")]
    [DataRow(SweepMetric.RSquared, "Degrees")]
    public void RowsAreScoredOnce(SweepMetric metric, string label)
    {
        using var tuned = _mlContext.Tune(Options(label, steps: 1), _mlContext.Keyed());
        var counted = new CountedRows(_mlContext.Keyed());
        Objective(metric, label).Check(tuned, counted);
        Assert.AreEqual(0, counted.CursorsWith("Text"), "Checking scores nothing.");
        _ = Objective(metric, label).Evaluate(tuned, counted);
        Assert.AreEqual(1, counted.CursorsWith("Text"));
    }

    [TestMethod]
    public void AMetricOfOnesOwnGetsTheScoredRowsAndMayThrow()
    {
        var rows = _mlContext.Rows("a b c", "the cat");
        var objective = SweepObjective.Of(
            "Longest", scored => scored.GetColumn<int>("TokenCount").Max(), isMaximized: false);
        Assert.AreEqual("Longest", objective.Name);
        Assert.IsFalse(objective.IsMaximized);
        objective.Check(_source, rows);
        Assert.AreEqual(7, objective.Evaluate(_source, rows));
        Assert.IsNull(objective.EvaluateChainCounts(_source, rows));
        var failing = SweepObjective.Of("Mine", _ => throw new FormatException("not today"), isMaximized: true);
        Assert.AreEqual("not today", Assert.ThrowsExactly<FormatException>(() => failing.Evaluate(_source, rows)).Message);
    }

    [TestMethod]
    public void AMetricThatIsNoNumberIsReturnedAsSuch()
    {
        var objective = SweepObjective.Of("Nothing", _ => double.NaN, isMaximized: true);
        Assert.AreEqual(double.NaN, objective.Evaluate(_source, _mlContext.Rows("a")));
    }

    private EstimatorChain<ElasticScoringTransformer> Features() => new EstimatorChain<ITransformer>().Append(
        _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = _model, Task = ScoringTask.Features }))
        .AppendCacheCheckpoint(_mlContext);

    private ChainTuningEstimator.Options Options(string label, int steps)
    {
        var options = Tuning.Steps(_source, steps);
        options.LabelColumnName = label;
        return options;
    }

    private SweepObjective Objective(SweepMetric metric, string label) => SweepObjective.Of(_mlContext, metric, label);

    private void AreEqual(ITransformer model, IDataView rows, string label, Dictionary<SweepMetric, double> expected)
    {
        foreach (var (metric, value) in expected)
        {
            var objective = Objective(metric, label);
            objective.Check(model, rows);
            Assert.AreEqual(value, objective.Evaluate(model, rows), metric.ToString());
            Assert.IsTrue(double.IsFinite(value), metric.ToString());
        }
    }

    private static double MatthewsOfTwo(ConfusionMatrix matrix)
    {
        double a = matrix.Counts[0][0], b = matrix.Counts[0][1], c = matrix.Counts[1][0], d = matrix.Counts[1][1];
        var all = Math.Sqrt((a + b) * (a + c) * (d + b) * (d + c));
        return all > 0 ? (a * d - b * c) / all : 0;
    }
}
