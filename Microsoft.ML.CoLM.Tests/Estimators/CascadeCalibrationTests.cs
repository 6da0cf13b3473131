using System.Reflection;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Cascades that are found from rows: what is claimed of them is what scoring gives.</summary>
[TestClass, DoNotParallelize]
public sealed class CascadeCalibrationTests
{
    private static readonly string?[] Texts =
        [.. Enumerable.Range(0, 60).Select(i => TextModels.Sentence(3 + i * 2)[i..]), null, "", "a"];

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(0.0, null)]
    [DataRow(0.3, null)]
    [DataRow(0.3, 5)]
    [DataRow(0.3, 16)]
    [DataRow(1.0, null)]
    [DataRow(double.PositiveInfinity, null)]
    public void TheClaimedLossIsWhatScoringTheSameTextsWithTheCascadeGives(double tolerance, int? stride)
    {
        using var model = TextModels.Random(TextModels.Config(4, 2, 4) with { KvSharing = true });
        var rows = _mlContext.Rows(Texts);
        using var transformer = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = model,
            BatchSize = 7,
            Window = stride is null ? null : 16,
            Stride = stride,
        }).Fit(rows);
        var found = _mlContext.CoLM().CalibrateCascade(transformer, rows, tolerance, new() { Confidence = 0.6 });
        found.Cascade.Check();
        using var cascade = transformer.WithCascade(found.Cascade);
        var scored = _mlContext.Data.CreateEnumerable<CascadeRow>(cascade.Transform(rows), reuseRowObject: false).ToArray();
        Assert.AreEqual(scored.Select(row => row.Score).MeanLoss(), found.Metric, 1e-5);
        Assert.AreEqual(transformer.Score(_mlContext, Texts).MeanLoss(), found.AllChainsMetric, 1e-5);
        Assert.AreEqual(scored.Average(row => row.ChainsUsed), found.MeanChainsUsed, 1e-9);
        Assert.AreEqual(scored.Sum(row => (double)row.TokenCount * model.ParameterCount(row.ChainsUsed)) /
            scored.Sum(row => (double)row.TokenCount * model.ParameterCount(3)), found.RelativeCost, 1e-9);
        Assert.IsLessThanOrEqualTo(tolerance, found.DifferenceBound);
        Assert.IsTrue(found.Metric - found.AllChainsMetric <= found.DifferenceBound + 1e-9);
        Assert.AreEqual((Texts.Length, SweepMetric.Loss, found.RelativeCost < 1), (found.RowCount, found.Kind, found.IsFound));
    }

    [TestMethod]
    [DataRow("Label", null)]
    [DataRow("Label", SweepMetric.MicroAccuracy)]
    [DataRow("Label", SweepMetric.LogLoss)]
    [DataRow("IsWarm", null)]
    [DataRow("IsWarm", SweepMetric.LogLoss)]
    [DataRow("Label", SweepMetric.LogLoss, FeaturePooling.Mean)]
    public void TheClaimedMetricIsWhatMLNetSaysOfTheSameRows(
        string label, SweepMetric? metric, FeaturePooling pooling = FeaturePooling.LastToken)
    {
        using var tuned = Tuned(label, pooling);
        var rows = PredictedRows(tuned, label);
        var options = new CascadeCalibrationOptions { LabelColumnName = label, Metric = metric, Confidence = 0.6 };
        var stages = 0;
        foreach (var tolerance in (double[])[0.02, 0.05, 0.1, 0.15, 0.2, 0.3])
        {
            var found = _mlContext.CoLM().CalibrateCascade(tuned, rows, tolerance, options);
            found.Cascade.Check();
            using var cascade = tuned.WithCascade(found.Cascade);
            Assert.AreEqual(Evaluate(cascade.Transform(rows), label, metric), found.Metric, 1e-5);
            Assert.AreEqual(Evaluate(tuned.Transform(rows), label, metric), found.AllChainsMetric, 1e-5);
            Assert.AreEqual(cascade.Transform(rows).GetColumn<int>("ChainsUsed").Average(), found.MeanChainsUsed, 1e-9);
            Assert.AreEqual(metric ?? SweepMetric.Accuracy, found.Kind);
            stages = Math.Max(stages, found.Cascade.ChainCounts.Count);
        }
        Assert.AreEqual(2, stages);
    }

    [TestMethod]
    public void WithoutLimitTheFirstCountDoesForAllRows()
    {
        using var model = TextModels.Random(4, 2, 4);
        using var transformer = _mlContext.Scorer(model);
        var found = _mlContext.CoLM().CalibrateCascade(
            transformer, _mlContext.Rows("a", "few", "texts"), double.PositiveInfinity);
        CollectionAssert.AreEqual(new[] { 1 }, found.Cascade.ChainCounts.ToArray());
        Assert.IsEmpty(found.Cascade.Thresholds);
        Assert.AreEqual((true, 1.0), (found.IsFound, found.MeanChainsUsed));
    }

    [TestMethod]
    public void WhereNothingIsCheaperAllChainsAreTheAnswerAndItSaysSo()
    {
        using var model = TextModels.Random(4, 2, 4);
        using var transformer = _mlContext.Scorer(model);
        var found = _mlContext.CoLM().CalibrateCascade(transformer, _mlContext.Rows("a", "few", "texts"), tolerance: 0.1);
        CollectionAssert.AreEqual(new[] { 3 }, found.Cascade.ChainCounts.ToArray());
        Assert.AreEqual((false, 3.0, 1.0, 0.0), (found.IsFound, found.MeanChainsUsed, found.RelativeCost, found.DifferenceBound));
        Assert.AreEqual(found.AllChainsMetric, found.Metric);
        Assert.Contains("no cascade keeps the promise", found.ToString());
        using var cascade = transformer.WithCascade(found.Cascade);
        Assert.IsTrue(cascade.Transform(_mlContext.Rows("a")).GetColumn<int>("ChainsUsed").All(used => used == 3));
    }

    [TestMethod]
    public void OnlyTheChainCountsThatAreGivenAreUsedAndTheLastStandsForAll()
    {
        using var model = TextModels.Random(4, 2, 4);
        using var transformer = _mlContext.Scorer(model);
        var rows = _mlContext.Rows(Texts);
        var found = _mlContext.CoLM().CalibrateCascade(
            transformer, rows, double.PositiveInfinity, new() { ChainCounts = [2, 3] });
        CollectionAssert.AreEqual(new[] { 2 }, found.Cascade.ChainCounts.ToArray());
        found = _mlContext.CoLM().CalibrateCascade(transformer, rows, tolerance: 0, new() { ChainCounts = [1, 2] });
        using var two = transformer.WithChainCount(2);
        Assert.AreEqual(two.Score(_mlContext, Texts).MeanLoss(), found.AllChainsMetric, 1e-5);
    }

    [TestMethod]
    public void APipelineIsCalibratedOnRowsAsItsModelGetsThem()
    {
        using var folder = new TemporaryFolder();
        using (var model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true }))
            model.Save(folder["model"]);
        using var source = _mlContext.Transforms.ElasticScoring(folder["model"]).Fit(_mlContext.Rows("text"));
        var data = _mlContext.Labelled(Many);
        using var pipeline = _mlContext.Transforms.Conversion.MapValueToKey("Label", "Class")
            .Append(_mlContext.Transforms.ChainTuning(Tuning.Steps(source)))
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("Predicted", "PredictedLabel")).Fit(data);
        _mlContext.Model.Save(pipeline, data.Schema, folder["model.zip"]);
        var loaded = _mlContext.CoLM().Load(folder["model.zip"], out _);
        using var disposing = loaded as IDisposable;
        var found = _mlContext.CoLM().CalibrateCascade(loaded, data, tolerance: 0.5, new() { Confidence = 0.5 });
        var cascade = loaded.WithCascade(found.Cascade);
        using var cascadeDisposing = cascade as IDisposable;
        var metrics = _mlContext.MulticlassClassification.Evaluate(cascade.Transform(data));
        Assert.AreEqual(metrics.MicroAccuracy, found.Metric, 1e-9);

        // A cascade, or few chains, are no other model.
        var again = _mlContext.CoLM().CalibrateCascade(cascade, data, tolerance: 0.5, new() { Confidence = 0.5 });
        CollectionAssert.AreEqual(found.Cascade.Thresholds.ToArray(), again.Cascade.Thresholds.ToArray());
    }

    [TestMethod]
    public void ClassesAreKnownByTheirNamesAndRowsWithoutOneAreLeftOut()
    {
        using var tuned = Tuned("Label");
        var options = new CascadeCalibrationOptions { Confidence = 0.6 };
        var expected = _mlContext.CoLM().CalibrateCascade(tuned, _mlContext.Keyed(Many), tolerance: 0.3, options);
        // Another order of the same classes, with one label missing.
        LabelledRow[] turned = [Many[0] with { Class = "hot" }, Many[0] with { Class = "warm" }, .. Many];
        var keyed = _mlContext.Keyed(turned);
        var found = _mlContext.CoLM().CalibrateCascade(tuned, _mlContext.Data.SkipRows(keyed, 2), tolerance: 0.3, options);
        Assert.AreEqual(expected.AllChainsMetric, found.AllChainsMetric, 1e-9);

        var missing = _mlContext.Transforms.Conversion.MapValueToKey("Label", "Class")
            .Fit(_mlContext.Labelled(Many)).Transform(_mlContext.Labelled([.. Many, Many[0] with { Class = "boiling" }]));
        Assert.AreEqual(Many.Length, _mlContext.CoLM().CalibrateCascade(tuned, missing, tolerance: 0.3, options).RowCount);
        var unknown = Assert.ThrowsExactly<ArgumentException>(() => _mlContext.CoLM().CalibrateCascade(
            tuned, _mlContext.Keyed([.. Many, Many[0] with { Class = "boiling" }]), tolerance: 0.3));
        foreach (var part in (string[])["'Label'", "'boiling'", "cold, warm, hot", "same transforms"])
            Assert.Contains(part, unknown.Message);
    }

    [TestMethod]
    public void WhatDoesNotFitIsRefusedByItsName()
    {
        using var one = TextModels.Random(4);
        using var two = TextModels.Random(4, 4);
        using var single = _mlContext.Scorer(one);
        using var language = _mlContext.Scorer(two);
        using var features = _mlContext.Transforms.ElasticScoring(
            new ElasticScoringEstimator.Options { Model = two, Task = ScoringTask.Features }).Fit(_mlContext.Rows("a"));
        using var classes = Tuned("Label");
        using var number = Tuned("Degrees");
        var texts = _mlContext.Rows(Texts);
        var keyed = _mlContext.Keyed(Many);
        foreach (var (model, rows, tolerance, options, named) in
            ((ITransformer, IDataView, double, CascadeCalibrationOptions?, string[])[])[
            (language, texts, -0.1, null, ["tolerance", "-0.1"]),
            (language, texts, double.NaN, null, ["tolerance", "NaN"]),
            (language, texts, 1, new() { Confidence = 1 }, ["Confidence", "found 1"]),
            (language, texts, 1, new() { Confidence = 0.4 }, ["Confidence", "0.5", "found 0.4"]),
            (language, texts, 1, new() { ChainCounts = [2] }, ["ChainCounts", "at least two", "found 2"]),
            (language, texts, 1, new() { ChainCounts = [2, 1] }, ["ChainCounts", "rise", "found 2, 1"]),
            (language, texts, 1, new() { ChainCounts = [1, 3] }, ["ChainCounts", "model's 2", "found 1, 3"]),
            (language, texts, 1, new() { Metric = SweepMetric.Accuracy }, ["Metric", "Loss", "found Accuracy"]),
            (language, _mlContext.Rows(), 1, null, ["'Text'", "found 0 rows"]),
            (language, _mlContext.Rows("", null), 1, null, ["'Text'", "found 2 rows"]),
            (language, _mlContext.Data.LoadFromEnumerable([new { Story = "a" }]), 1, null, ["'Text'", "'Story'"]),
            (single, texts, 1, null, ["one chain"]),
            (features, texts, 1, null, ["Features"]),
            (number, _mlContext.Labelled(), 1, null, ["Regression"]),
            (classes, keyed, 1, new() { Metric = SweepMetric.Loss }, ["Metric", "Accuracy", "LogLoss", "found Loss"]),
            (classes, keyed, 1, new() { LabelColumnName = "Missing" }, ["'Missing'", "'Label'"]),
            (classes, keyed, 1, new() { LabelColumnName = "IsWarm" }, ["'IsWarm'", "MulticlassClassification", "Boolean"]),
            (classes, keyed, 1, new() { LabelColumnName = "Class" }, ["'Class'", "MapValueToKey"]),
            (_mlContext.Transforms.CopyColumns("A", "Text").Fit(texts), texts, 1, null, ["found 0"])])
        {
            var error = Assert.Throws<ArgumentException>(
                () => _mlContext.CoLM().CalibrateCascade(model, rows, tolerance, options));
            foreach (var part in named)
                Assert.Contains(part, error.Message);
        }
    }

    [TestMethod]
    public void ADisposedModelOrACancelledContextEndsIt()
    {
        using var model = TextModels.Random(4, 4);
        var transformer = _mlContext.Scorer(model);
        var cancelled = new MLContext(seed: 1);
        typeof(MLContext).GetMethod("CancelExecution", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)!
            .Invoke(cancelled, null);
        Assert.ThrowsExactly<OperationCanceledException>(
            () => cancelled.CoLM().CalibrateCascade(transformer, _mlContext.Rows(Texts), tolerance: 1));
        transformer.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(
            () => _mlContext.CoLM().CalibrateCascade(transformer, _mlContext.Rows(Texts), tolerance: 1));
    }

    private static LabelledRow[] Many { get; } = [.. Enumerable.Range(0, 90).Select(i => new LabelledRow
    {
        Text = TextModels.Sentence(40 + i)[(i % 40)..],
        Class = Tuning.Classes[i % 3],
        IsWarm = i % 3 > 0,
    })];

    private ElasticScoringTransformer Tuned(string label, FeaturePooling pooling = FeaturePooling.LastToken)
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps: 5);
        (options.LabelColumnName, options.Pooling) = (label, pooling);
        return _mlContext.Tune(options);
    }

    /// <summary>Rows whose labels all chains know, but for every sixth, so that one chain alone is worse.</summary>
    private IDataView PredictedRows(ElasticScoringTransformer tuned, string label)
    {
        var keys = _mlContext.Transforms.Conversion.MapValueToKey("Label", "Class").Fit(_mlContext.Labelled());
        var predicted = tuned.Transform(_mlContext.Labelled(Many));
        var isWarm = label == "IsWarm" ? predicted.GetColumn<bool>("PredictedLabel").ToArray() : [];
        var classes = label == "Label" ? predicted.GetColumn<uint>("PredictedLabel").ToArray() : [];
        return keys.Transform(_mlContext.Labelled([.. Many.Select((row, i) => label == "Label"
            ? row with { Class = Tuning.Classes[(classes[i] - 1 + (i % 6 == 0 ? 1 : 0)) % 3] }
            : row with { IsWarm = isWarm[i] != (i % 6 == 0) })]));
    }

    private double Evaluate(IDataView scored, string label, SweepMetric? metric)
    {
        if (label == "Label")
        {
            var metrics = _mlContext.MulticlassClassification.Evaluate(scored);
            return metric == SweepMetric.LogLoss ? metrics.LogLoss : metrics.MicroAccuracy;
        }
        // ML.NET's log-loss of two classes is in bits.
        var binary = _mlContext.BinaryClassification.Evaluate(scored, label);
        return metric == SweepMetric.LogLoss ? binary.LogLoss * Math.Log(2) : binary.Accuracy;
    }
}
