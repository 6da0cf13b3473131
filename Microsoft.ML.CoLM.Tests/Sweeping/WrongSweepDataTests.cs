using System.Collections.Concurrent;
using Microsoft.ML.CoLM.Sweeping;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Metrics that do not fit, and validation sets that predictions cannot be compared with.</summary>
[TestClass, DoNotParallelize]
public sealed class WrongSweepDataTests
{
    private const string Advice =
        " The validation set must go through the same transforms as the training data, as they were fitted to that.";

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });
    private readonly ElasticScoringTransformer _source;

    public WrongSweepDataTests() => _source = _mlContext.Scorer(_model);

    [TestCleanup]
    public void Dispose()
    {
        _source.Dispose();
        _model.Dispose();
    }

    [TestMethod]
    [DataRow(SweepMetric.Accuracy, "Label", "MulticlassClassification: it adds 'PredictedLabel' (Key<UInt32, 0-2>), " +
        "'Score' (Vector<Single, 3>). Metrics that fit are MicroAccuracy, MacroAccuracy, LogLoss, MatthewsCorrelation.")]
    [DataRow(SweepMetric.Loss, "Label", "MulticlassClassification")]
    [DataRow(SweepMetric.RSquared, "IsWarm", "BinaryClassification: it adds 'PredictedLabel' (Boolean), 'Score' (Single), " +
        "'Probability' (Single). Metrics that fit are Accuracy, F1Score, AreaUnderRocCurve, MatthewsCorrelation, LogLoss.")]
    [DataRow(SweepMetric.MicroAccuracy, "IsWarm", "BinaryClassification")]
    [DataRow(SweepMetric.LogLoss, "Degrees", "Regression: it adds 'Score' (Single). " +
        "Metrics that fit are RSquared, RootMeanSquaredError, PearsonCorrelation, SpearmanCorrelation.")]
    [DataRow(SweepMetric.MultipleChoiceAccuracy, "Degrees", "Regression")]
    public void AMetricThatDoesNotFitIsRefusedWithThoseThatDo(SweepMetric metric, string label, string expected)
    {
        using var tuned = Tuned(label, _mlContext.Keyed());
        var rows = _mlContext.Keyed();
        var message = Refusal(metric, label, tuned, rows);
        StringAssert.Contains(message, $"The metric {metric} does not fit the pipeline, whose rows are of {expected}");
        StringAssert.EndsWith(message, $"The label column is '{label}', and the validation set has " +
            "'Text', 'Second', 'Class', 'Number', 'Degrees', 'IsWarm', 'Label'.");
        Assert.AreEqual(message,
            Assert.ThrowsExactly<ArgumentException>(() => SweepObjective.Of(_mlContext, metric, label).Evaluate(tuned, rows)).Message);
    }

    [TestMethod]
    public void ALanguageModelHasLossesAlone()
    {
        StringAssert.Contains(Refusal(SweepMetric.Accuracy, "Label", _source, _mlContext.Rows("a")),
            "whose rows are of LanguageModeling: it adds 'LogProbability' (Single), 'TokenCount' (Int32), 'Perplexity' " +
            "(Single). Metrics that fit are Loss, Perplexity. The label column is 'Label', and the validation set has " +
            "'Text', 'Number'.");
    }

    [TestMethod]
    public void FeaturesAloneHaveNoMetric()
    {
        using var features = _mlContext.Transforms.ElasticScoring(
            new ElasticScoringEstimator.Options { Model = _model, Task = ScoringTask.Features }).Fit(_mlContext.Rows("a"));
        StringAssert.Contains(Refusal(SweepMetric.Accuracy, "Label", features, _mlContext.Rows("a")),
            "whose rows are of no task that has metrics: it adds 'Features' (Vector<Single, 32>). A trainer behind it, or a " +
            "metric of one's own, is missing.");
    }

    [TestMethod]
    public void ClustersAreNoClasses()
    {
        var rows = _mlContext.Labelled();
        using var clusters = _mlContext.Transforms.ElasticScoring(
            new ElasticScoringEstimator.Options { Model = _model, Task = ScoringTask.Features })
            .Append(_mlContext.Clustering.Trainers.KMeans(numberOfClusters: 2)).Fit(rows);
        StringAssert.Contains(Refusal(SweepMetric.MicroAccuracy, "Label", clusters, rows), "no task that has metrics");
    }

    [TestMethod]
    public void ATextThatTheTrainingDataHasAKeyOfMissesItsMapping()
    {
        using var tuned = Tuned("Label", _mlContext.Keyed());
        var raw = _mlContext.Transforms.CopyColumns("Label", "Class").Fit(_mlContext.Labelled()).Transform(_mlContext.Labelled());
        Assert.AreEqual("The validation set must have a key of known values in column 'Label', which predictions of " +
            $"MulticlassClassification are compared with, found String.{Advice}".Replace("String", raw.Schema["Label"].Type.ToString()),
            Refusal(SweepMetric.MicroAccuracy, "Label", tuned, raw));
    }

    [TestMethod]
    public void ALabelThatIsNotThereIsNamedWithTheColumnsThatAre()
    {
        using var tuned = Tuned("Label", _mlContext.Keyed());
        Assert.AreEqual("The validation set has no label column 'Label'. It has 'Text', 'Second', 'Class', 'Number', " +
            $"'Degrees', 'IsWarm'.{Advice}", Refusal(SweepMetric.MicroAccuracy, "Label", tuned, _mlContext.Labelled()));
    }

    [TestMethod]
    public void AKeyThatWasMappedApartIsRefused()
    {
        using var tuned = Tuned("Label", _mlContext.Keyed());
        Assert.AreEqual($"Column 'Label' of the validation set is a key of hot, cold, warm, and the pipeline predicts " +
            $"cold, warm, hot.{Advice}",
            Refusal(SweepMetric.MicroAccuracy, "Label", tuned, _mlContext.Keyed([.. Tuning.Data.Skip(2)])));
        StringAssert.Contains(
            Refusal(SweepMetric.MicroAccuracy, "Label", tuned, _mlContext.Keyed([.. Tuning.Data.Take(2)])), "a key of cold, warm, and");
    }

    [TestMethod]
    public void AValueThatNoTrainingRowHasIsNamedAndAMissingOneIsWarnedOf()
    {
        var pipeline = _mlContext.Transforms.Conversion.MapValueToKey("Class")
            .Append(_mlContext.Transforms.ChainTuning(Options("Class")));
        using var fitted = pipeline.Fit(_mlContext.Labelled());
        var rows = _mlContext.Labelled(Tuning.Data[0], Tuning.Data[1] with { Class = "lukewarm" });
        Assert.AreEqual("Column 'Class' of the validation set has the value 'lukewarm', which no row had that the pipeline " +
            "was fitted to: it knows cold, warm, hot.", Refusal(SweepMetric.MicroAccuracy, "Class", fitted, rows));

        var unlabelled = _mlContext.Labelled(Tuning.Data[0], Tuning.Data[1] with { Class = "" });
        var warnings = new ConcurrentQueue<string>();
        _mlContext.Log += (_, message) =>
        {
            if (message.Kind == ChannelMessageKind.Warning)
                warnings.Enqueue(message.RawMessage);
        };
        var objective = SweepObjective.Of(_mlContext, SweepMetric.MicroAccuracy, "Class");
        objective.Check(fitted, unlabelled);
        objective.Check(fitted, unlabelled);
        Assert.AreEqual("1 of 2 rows of the validation set have no label in column 'Class' and are left out.", warnings.Single());
    }

    [TestMethod]
    public void RowsWithoutAnyLabelAreRefused()
    {
        using var numbers = Tuned("Degrees", _mlContext.Labelled());
        LabelledRow[] rows = [.. Tuning.Data.Take(3).Select(row => row with { Degrees = float.NaN })];
        Assert.AreEqual($"None of the 3 rows of the validation set has a label in column 'Degrees' (Single).{Advice}",
            Refusal(SweepMetric.RSquared, "Degrees", numbers, _mlContext.Labelled(rows)));
        using var classes = _mlContext.Transforms.Conversion.MapValueToKey("Label", "Class")
            .Append(_mlContext.Transforms.ChainTuning(Options("Label"))).Fit(_mlContext.Labelled());
        StringAssert.StartsWith(Refusal(SweepMetric.MicroAccuracy, "Label", classes,
            _mlContext.Labelled(Tuning.Data[0] with { Class = "tepid" })), "None of the 1 rows of the validation set has a label");
    }

    [TestMethod]
    public void NoRowsAndOneClassAreRefused()
    {
        using var tuned = Tuned("IsWarm", _mlContext.Labelled());
        var none = _mlContext.Data.LoadFromEnumerable<LabelledRow>([]);
        Assert.AreEqual("The validation set has no rows.", Refusal(SweepMetric.Accuracy, "IsWarm", tuned, none));
        LabelledRow[] cold = [.. Tuning.Data.Where(row => !row.IsWarm)];
        Assert.AreEqual("Column 'IsWarm' of the validation set must have both classes, found False alone in 4 rows.",
            Refusal(SweepMetric.Accuracy, "IsWarm", tuned, _mlContext.Labelled(cold)));
    }

    [TestMethod]
    public void AValidationSetThatThePipelineCannotReadIsNamed()
    {
        using var fitted = _mlContext.Transforms.Conversion.MapValueToKey("Label", "Class")
            .Append(_mlContext.Transforms.ChainTuning(Options("Label"))).Fit(_mlContext.Labelled());
        foreach (var (column, found) in new[] { ("Class", "'Class'"), ("Text", "'Text'") })
        {
            var rows = _mlContext.Transforms.DropColumns(column).Fit(_mlContext.Labelled()).Transform(_mlContext.Labelled());
            var message = Refusal(SweepMetric.MicroAccuracy, "Label", fitted, rows);
            StringAssert.StartsWith(message, "The validation set does not fit the pipeline: ");
            StringAssert.Contains(message, found);
            StringAssert.EndsWith(message, Advice);
        }
    }

    private ChainTuningEstimator.Options Options(string label)
    {
        var options = Tuning.Steps(_source, 1);
        options.LabelColumnName = label;
        return options;
    }

    private ElasticScoringTransformer Tuned(string label, IDataView rows) => _mlContext.Tune(Options(label), rows);

    private string Refusal(SweepMetric metric, string label, ITransformer model, IDataView rows) =>
        Assert.ThrowsExactly<ArgumentException>(() => SweepObjective.Of(_mlContext, metric, label).Check(model, rows)).Message;
}
