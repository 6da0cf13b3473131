using System.Globalization;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Interop;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Labels of every kind, with what ML.NET does with their predictions.</summary>
[TestClass, DoNotParallelize]
public sealed class LabelKindsTests
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });
    private readonly ElasticScoringTransformer _source;

    public LabelKindsTests() => _source = _mlContext.Scorer(_model);

    public TestContext TestContext { get; set; } = null!;

    [TestCleanup]
    public void Dispose()
    {
        _source.Dispose();
        _model.Dispose();
    }

    [TestMethod]
    public void ABooleanIsEvaluatedAsBinaryClassification()
    {
        var rows = _mlContext.Labelled(Tuning.Easy);
        using var tuned = _mlContext.Tune(Options("IsWarm", steps: 50), rows);
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var scale = tuned.WithChainCount(chainCount);
            var scored = scale.Transform(rows);
            var metrics = _mlContext.BinaryClassification.Evaluate(scored, "IsWarm");
            Assert.AreEqual(1, metrics.Accuracy);
            Assert.AreEqual(1, metrics.AreaUnderRocCurve);
            Assert.IsLessThan(0.5, metrics.LogLoss);
            var (scores, probabilities) = (
                scored.GetColumn<float>("Score").ToArray(), scored.GetColumn<float>("Probability").ToArray());
            for (var i = 0; i < scores.Length; i++)
                Assert.AreEqual(1 / (1 + Math.Exp(-scores[i])), probabilities[i], 1e-6);
            CollectionAssert.AreEqual(
                scores.Select(score => score > 0).ToArray(), scored.GetColumn<bool>("PredictedLabel").ToArray());
        }
    }

    [TestMethod]
    public void ANumberIsEvaluatedAsRegression()
    {
        var rows = _mlContext.Labelled(Tuning.Easy);
        using var tuned = _mlContext.Tune(Options("Degrees", steps: 80), rows);
        var metrics = _mlContext.Regression.Evaluate(tuned.Transform(rows), "Degrees");
        Assert.IsGreaterThan(0.9, metrics.RSquared);
        var scores = tuned.Transform(rows).GetColumn<float>("Score").ToArray();
        Assert.IsTrue(scores.Min() is > 10 and < 30 && scores.Max() is > 25 and < 40, "In the label's own range.");
    }

    [TestMethod]
    public void ANumberThatNeverChangesIsLearntAsItIs()
    {
        LabelledRow[] rows = [.. Tuning.Data.Select(row => row with { Degrees = 7 })];
        using var tuned = _mlContext.Tune(Options("Degrees", steps: 40), _mlContext.Labelled(rows));
        foreach (var score in tuned.Transform(_mlContext.Labelled(rows)).GetColumn<float>("Score"))
            Assert.AreEqual(7, score, 0.5);
    }

    [TestMethod]
    public void AKeyIsEvaluatedAndCrossValidatedAsMulticlassClassification()
    {
        var rows = _mlContext.Keyed(Tuning.Easy);
        var estimator = _mlContext.Transforms.ChainTuning(Options("Label", steps: 50));
        var results = _mlContext.MulticlassClassification.CrossValidate(rows, estimator, numberOfFolds: 2);
        Assert.HasCount(2, results);
        foreach (var result in results)
        {
            Assert.AreEqual(3, result.Metrics.PerClassLogLoss.Count);
            Assert.IsTrue(double.IsFinite(result.Metrics.LogLoss));
            Assert.AreEqual(1, _mlContext.Evaluate(result.Model, rows).MicroAccuracy);
            ((IDisposable)result.Model).Dispose();
        }
    }

    [TestMethod]
    public void APipelineOfTextLabelsIsTheSameInANewProcess()
    {
        const string ZipVariable = "COLM_TEST_TUNED_ZIP";
        if (Environment.GetEnvironmentVariable(ZipVariable) is { } given)
        {
            // The other process: it knows no more than where the zip is.
            var loaded = new MLContext().Model.Load(given, out _);
            Assert.AreEqual(File.ReadAllText(given + ".txt"), Describe(loaded));
            return;
        }
        using var folder = new TemporaryFolder();
        var rows = _mlContext.Labelled();
        var pipeline = _mlContext.Transforms.Conversion.MapValueToKey("Label", "Class")
            .Append(_mlContext.Transforms.ChainTuning(Options("Label", steps: 20)))
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("Predicted", "PredictedLabel"));
        using var fitted = pipeline.Fit(rows);
        _mlContext.Model.Save(fitted, rows.Schema, folder["model.zip"]);
        File.WriteAllText(folder["model.zip.txt"], Describe(fitted));
        FreshProcess.RunTest(TestContext, new() { [ZipVariable] = folder["model.zip"] });
    }

    [TestMethod]
    public void SlotsOfTheScoresHaveTheNamesOfTheClasses()
    {
        using var tuned = _mlContext.Tune(Options("Label", steps: 1));
        var score = tuned.GetOutputSchema(_mlContext.Keyed().Schema)["Score"];
        VBuffer<ReadOnlyMemory<char>> names = default;
        score.GetSlotNames(ref names);
        CollectionAssert.AreEqual(Tuning.Classes, names.DenseValues().Select(name => name.ToString()).ToArray());
        foreach (var prediction in _mlContext.Predict(tuned))
        {
            Assert.AreEqual(1, prediction.Score.Sum(), 1e-5);
            Assert.AreEqual(
                Array.IndexOf(prediction.Score, prediction.Score.Max()), (int)prediction.PredictedLabel - 1);
        }
    }

    [TestMethod]
    [DataRow("Label")]
    [DataRow("IsWarm")]
    [DataRow("Degrees")]
    public void EveryWayToTheSchemaGivesTheSame(string label)
    {
        var rows = _mlContext.Keyed();
        var estimator = _mlContext.Transforms.ChainTuning(Options(label, steps: 1));
        using var tuned = estimator.Fit(rows);
        var schema = tuned.Transform(rows).Schema;
        CollectionAssert.AreEqual(schema.Select(column => column.Name).ToArray(),
            tuned.GetOutputSchema(rows.Schema).Select(column => column.Name).ToArray());
        CollectionAssert.AreEqual(
            Shapes.Describe(Shapes.Of(schema)), Shapes.Describe(estimator.GetOutputSchema(Shapes.Of(rows.Schema))));
    }

    [TestMethod]
    [DataRow("Number", new[] { "0", "10", "20" })]
    [DataRow("Degrees", new[] { "20", "25", "30" })]
    public void KeysOfNumbersComeBackAsNumbers(string column, string[] expected)
    {
        using var folder = new TemporaryFolder();
        var rows = _mlContext.Keyed(column, Tuning.Easy);
        using var tuned = _mlContext.Tune(Options("Label", steps: 50), rows);
        _mlContext.Model.Save(tuned, rows.Schema, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)new MLContext().Model.Load(folder["model.zip"], out _);
        foreach (var transformer in new[] { tuned, loaded })
        {
            var scored = transformer.Transform(rows);
            VBuffer<ReadOnlyMemory<char>> names = default;
            scored.Schema["Score"].GetSlotNames(ref names);
            CollectionAssert.AreEqual(expected, names.DenseValues().Select(name => name.ToString()).ToArray());
            var back = _mlContext.Transforms.Conversion.MapKeyToValue("Back", "PredictedLabel").Fit(scored).Transform(scored);
            Assert.AreEqual(rows.Schema[column].Type, back.Schema["Back"].Type);
            if (column == "Number")
                CollectionAssert.AreEqual(back.GetColumn<int>(column).ToArray(), back.GetColumn<int>("Back").ToArray());
            else
                CollectionAssert.AreEqual(back.GetColumn<float>(column).ToArray(), back.GetColumn<float>("Back").ToArray());
        }
    }

    [TestMethod]
    public void AKeyWithoutValuesIsNamedByItsNumbers()
    {
        var rows = _mlContext.Data.LoadFromEnumerable(
            Tuning.Data.Select((row, i) => new KeyedRow { Text = row.Text, Label = (uint)(i % 3 + 1) }));
        using var folder = new TemporaryFolder();
        using var tuned = _mlContext.Tune(Options("Label", steps: 2), rows);
        _mlContext.Model.Save(tuned, rows.Schema, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)new MLContext().Model.Load(folder["model.zip"], out _);
        VBuffer<ReadOnlyMemory<char>> names = default;
        loaded.GetOutputSchema(rows.Schema)["Score"].GetSlotNames(ref names);
        CollectionAssert.AreEqual((string[])["0", "1", "2"], names.DenseValues().Select(name => name.ToString()).ToArray());
        CollectionAssert.AreEqual(_mlContext.Predict(tuned).Scores(), _mlContext.Predict(loaded).Scores());
    }

    [TestMethod]
    [DataRow("Label")]
    [DataRow("IsWarm")]
    [DataRow("Degrees")]
    public void AZipPredictsTheSameToTheBitAtEveryChainCount(string label)
    {
        using var folder = new TemporaryFolder();
        var rows = _mlContext.Keyed();
        using var tuned = _mlContext.Tune(Options(label, steps: 5), rows);
        _mlContext.Model.Save(tuned, rows.Schema, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)new MLContext().Model.Load(folder["model.zip"], out _);
        Assert.AreEqual(2, loaded.ChainCount);
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var expected = tuned.WithChainCount(chainCount);
            using var actual = loaded.WithChainCount(chainCount);
            Assert.AreEqual(Values(expected), Values(actual));
        }

        string Values(ElasticScoringTransformer transformer)
        {
            var scored = transformer.Transform(rows);
            return string.Join(' ', label == "Label"
                ? scored.GetColumn<float[]>("Score").SelectMany(values => values)
                : scored.GetColumn<float>("Score"));
        }
    }

    [TestMethod]
    public void AnEnginePredictsWhatTheTransformerDoes()
    {
        using var tuned = _mlContext.Tune(Options("Label", steps: 5));
        var expected = _mlContext.Predict(tuned);
        using var engine = _mlContext.Model.CreatePredictionEngine<LabelledRow, Prediction>(
            tuned, new PredictionEngineOptions { OwnsTransformer = false });
        for (var i = 0; i < expected.Length; i++)
        {
            var prediction = engine.Predict(Tuning.Data[i]);
            Assert.AreEqual(expected[i].PredictedLabel, prediction.PredictedLabel);
            for (var slot = 0; slot < 3; slot++)
                Assert.AreEqual(expected[i].Score[slot], prediction.Score[slot], 1e-5);
        }
    }

    [TestMethod]
    public void APairOfTextsIsReadTogether()
    {
        // The label is in the second text alone, and then in the first alone.
        foreach (var inTheSecond in new[] { true, false })
        {
            LabelledRow[] rows = [.. Tuning.Easy.Select(row => row with
            {
                Text = inTheSecond ? "the same" : row.Text,
                Second = inTheSecond ? row.Text : "the same",
            })];
            var options = Options("Label", steps: 60);
            options.SecondTextColumnName = "Second";
            options.SequenceLength = 48;
            using var folder = new TemporaryFolder();
            using var tuned = _mlContext.Tune(options, _mlContext.Keyed(rows));
            _mlContext.Model.Save(tuned, _mlContext.Keyed(rows).Schema, folder["model.zip"]);
            using var loaded = (ElasticScoringTransformer)new MLContext().Model.Load(folder["model.zip"], out _);
            Assert.AreEqual(1, _mlContext.Evaluate(tuned, _mlContext.Keyed(rows)).MicroAccuracy);
            CollectionAssert.AreEqual(
                _mlContext.Predict(tuned, rows).Scores(), _mlContext.Predict(loaded, rows).Scores());
        }
    }

    [TestMethod]
    public void WhatStandsBehindTheLengthMakesNoDifference()
    {
        var options = Options("Label", steps: 2);
        options.SequenceLength = 8;
        using var tuned = _mlContext.Tune(options);
        LabelledRow[] longer = [.. Tuning.Data.Select(row => row with { Text = row.Text![..4] + "qqq" + row.Text })];
        LabelledRow[] other = [.. longer.Select(row => row with { Text = row.Text + " and more" })];
        CollectionAssert.AreEqual(
            _mlContext.Predict(tuned, longer).Scores(), _mlContext.Predict(tuned, other).Scores());
    }

    [TestMethod]
    public void ValidationFindsWhatEvaluationFinds()
    {
        var rows = _mlContext.Keyed();
        var options = Options("Label", steps: 6);
        options.ValidationSet = rows;
        using var tuned = _mlContext.Tune(options, rows);
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var scale = tuned.WithChainCount(chainCount);
            var metrics = _mlContext.Evaluate(scale, rows);
            Assert.AreEqual(metrics.MicroAccuracy, tuned.Training!.ValidationMetrics[chainCount - 1], 1e-9);
            Assert.AreEqual(metrics.LogLoss, tuned.Training.ValidationLosses[chainCount - 1], 1e-4);
        }

        options = Options("IsWarm", steps: 6);
        options.ValidationSet = rows;
        using var binary = _mlContext.Tune(options, rows);
        Assert.AreEqual(_mlContext.BinaryClassification.Evaluate(binary.Transform(rows), "IsWarm").Accuracy,
            binary.Training!.ValidationMetrics[1], 1e-9);

        options = Options("Degrees", steps: 6);
        options.ValidationSet = rows;
        using var number = _mlContext.Tune(options, rows);
        var degrees = Tuning.Data.Select(row => row.Degrees).ToArray();
        var variance = degrees.Average(value => Math.Pow(value - degrees.Average(), 2));
        Assert.AreEqual(_mlContext.Regression.Evaluate(number.Transform(rows), "Degrees").MeanSquaredError / variance,
            number.Training!.ValidationLosses[1], 1e-4);
        Assert.IsTrue(number.Training.ValidationMetrics[1] is >= -1 and <= 1);
    }

    [TestMethod]
    public void ValidationKeysOfAnotherOrderAreTheSameClasses()
    {
        LabelledRow[] turned = [.. Tuning.Data.Reverse()];
        var (rows, validation) = (_mlContext.Keyed(), _mlContext.Keyed(turned));
        CollectionAssert.AreNotEqual(
            rows.GetColumn<uint>("Label").ToArray(), validation.GetColumn<uint>("Label").Reverse().ToArray());
        var options = Options("Label", steps: 6);
        options.ValidationSet = rows;
        using var expected = _mlContext.Tune(options, rows);
        options.ValidationSet = validation;
        using var tuned = _mlContext.Tune(options, rows);
        CollectionAssert.AreEqual(
            expected.Training!.ValidationMetrics.ToArray(), tuned.Training!.ValidationMetrics.ToArray());
        Assert.AreEqual(expected.Training.ValidationLosses[1], tuned.Training.ValidationLosses[1], 1e-5);
    }

    [TestMethod]
    public void TrainingStopsEarlyAndEndsWithItsBestWeights()
    {
        // What is learnt is wrong in the validation set, so that it gets worse and worse there.
        LabelledRow[] wrong =
            [.. Tuning.Data.Select((row, i) => row with { Class = Tuning.Classes[(i + 1) % 3] })];
        var options = Options("Label", steps: 40);
        options.ValidationSet = _mlContext.Keyed([.. Tuning.Data.Take(1), .. wrong]);
        (options.Decay, options.ValidationInterval, options.EarlyStoppingPatience) = (LearningRateDecay.None, 1, 3);
        var recorder = new Recorder();
        options.Progress = recorder;
        using var tuned = _mlContext.Tune(options);
        var training = tuned.Training!;
        Assert.IsLessThan(40, training.Steps);
        Assert.IsFalse(training.Cancelled);
        Assert.AreEqual(training.ModelStep + 3, training.Steps);
        var objectives = recorder.Reports.Select(report => report.ValidationLosses.Sum()).ToArray();
        Assert.AreEqual(training.ModelStep - 1, Array.IndexOf(objectives, objectives.Min()));
        CollectionAssert.AreEqual(
            recorder.Reports[training.ModelStep - 1].ValidationLosses.ToArray(), training.ValidationLosses.ToArray());

        options = Options("Label", steps: training.ModelStep);
        options.Decay = LearningRateDecay.None;
        using var expected = _mlContext.Tune(options);
        CollectionAssert.AreEqual(_mlContext.Predict(expected).Scores(), _mlContext.Predict(tuned).Scores());
    }

    private ChainTuningEstimator.Options Options(string label, int steps)
    {
        var options = Tuning.Steps(_source, steps);
        options.LabelColumnName = label;
        return options;
    }

    private string Describe(ITransformer transformer)
    {
        var scored = transformer.Transform(_mlContext.Labelled());
        var metrics = _mlContext.MulticlassClassification.Evaluate(scored);
        double[] numbers = [metrics.LogLoss, metrics.MacroAccuracy, metrics.MicroAccuracy,
            .. scored.GetColumn<float[]>("Score").SelectMany(values => values).Select(value => (double)value)];
        return string.Join('\n', [.. numbers.Select(number => number.ToString("R", CultureInfo.InvariantCulture)),
            .. scored.GetColumn<string>("Predicted")]);
    }

    private sealed class KeyedRow
    {
        public string? Text { get; set; }

        [KeyType(3)]
        public uint Label { get; set; }
    }
}
