using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Sweeping;
using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>What latency is measured of, not how long it takes.</summary>
[TestClass, DoNotParallelize]
public sealed class LatencyMeterTests
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(4, 4);

    [TestCleanup]
    public void Dispose() => _model.Dispose();

    [TestMethod]
    [DataRow(1)]
    [DataRow(5)]
    [DataRow(64)]
    public void NumbersArePositiveAndOrdered(int batchSize)
    {
        using var scorer = _mlContext.Scorer(_model);
        var latency = LatencyMeter.Measure(scorer, _mlContext.Rows(TextModels.Texts), batchSize, default);
        Assert.IsGreaterThan(0, latency.Median);
        Assert.IsGreaterThanOrEqualTo(latency.Median, latency.Percentile95);
        Assert.IsGreaterThan(0, latency.RowsPerSecond);
        Assert.IsLessThan(double.PositiveInfinity, latency.RowsPerSecond);
        Assert.AreEqual(64, scorer.Settings.BatchSize);
    }

    [TestMethod]
    public void APipelineWithTransformsAroundTheModelIsMeasuredAsAWhole()
    {
        var rows = _mlContext.Labelled();
        using var source = _mlContext.Scorer(_model);
        using var fitted = _mlContext.Transforms.Conversion.MapValueToKey("Label", "Class")
            .Append(_mlContext.Transforms.ChainTuning(Tuning.Steps(source, 1)))
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel")).Fit(rows);
        Assert.IsGreaterThan(0, LatencyMeter.Measure(fitted, rows, 4, default).Median);
    }

    [TestMethod]
    public void TheSourceIsReadOnceAndBefore()
    {
        using var scorer = _mlContext.Scorer(_model);
        var counted = new CountedRows(_mlContext.Rows(TextModels.Texts));
        _ = LatencyMeter.Measure(scorer, counted, 4, default);
        Assert.AreEqual(1, counted.CursorsWith("Text"));
        Assert.AreEqual(0, counted.CursorsWith("Number"), "No prediction is made of it.");
    }

    [TestMethod]
    public void WhatIsMadeIsDisposedAndTheModelIsNot()
    {
        var model = TextModels.Random(4, 4);
        var scorer = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = model }).Fit(_mlContext.Rows("a"));
        using var zip = new MemoryStream();
        _mlContext.Model.Save(scorer, inputSchema: null, zip);
        zip.Position = 0;
        var owner = ElasticChain.Find(_mlContext.Model.Load(zip, out _));
        _ = LatencyMeter.Measure(owner, _mlContext.Rows("a", "the cat"), 2, default);
        owner.Model.CheckUsable();
        owner.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(owner.Model.CheckUsable, "Nobody else has it.");
        scorer.Dispose();
        model.Dispose();
    }

    [TestMethod]
    public void CancellingEndsItBetweenTwoBatches()
    {
        using var scorer = _mlContext.Scorer(_model);
        using var cancellation = new CancellationTokenSource();
        var batches = 0;
        using var fitted = scorer.Append(_mlContext.Transforms.CustomMapping<ScoredRow, Marked>((row, marked) =>
        {
            marked.Score = row.LogProbability;
            if (++batches == 3)
                cancellation.Cancel();
        }, contractName: null).Fit(scorer.Transform(_mlContext.Rows("a"))));
        Assert.ThrowsExactly<OperationCanceledException>(
            () => LatencyMeter.Measure(fitted, _mlContext.Rows(TextModels.Texts), 1, cancellation.Token));
        Assert.IsInRange(3, 4, batches);
        Assert.ThrowsExactly<OperationCanceledException>(
            () => LatencyMeter.Measure(scorer, _mlContext.Rows("a"), 1, new CancellationToken(canceled: true)));
    }

    [TestMethod]
    public void NoRowsAreRefused()
    {
        using var scorer = _mlContext.Scorer(_model);
        Assert.AreEqual("There are no rows to measure the latency of.", Assert.ThrowsExactly<ArgumentException>(
            () => LatencyMeter.Measure(scorer, _mlContext.Rows(), 1, default)).Message);
    }

    [TestMethod]
    public void RowsAreSpreadOverTheSourceHoweverFewAreTaken()
    {
        var source = _mlContext.Rows(Enumerable.Repeat("a", 1000));
        var kept = KeptRows.Read(source, [source.Schema["Number"]], 100, default);
        using var cursor = kept.GetRowCursor([kept.Schema["Number"]]);
        var number = cursor.GetGetter<float>(kept.Schema["Number"]);
        var numbers = new float[250];
        for (var i = 0; i < numbers.Length; i++)
        {
            Assert.IsTrue(cursor.MoveNext());
            number(ref numbers[i]);
        }
        Assert.HasCount(100, numbers.Take(100).Distinct());
        CollectionAssert.AreEqual(numbers[..100], numbers[100..200], "They come again.");
        foreach (var count in new[] { 10, 20, 50, 100 })
        {
            // In every tenth of the source there is a tenth of them, or nearly.
            foreach (var tenth in numbers.Take(count).GroupBy(value => (int)value / 100))
                Assert.IsInRange(count / 10 - 1, count / 10 + 2, tenth.Count());
        }
    }

    [TestMethod]
    public void FewRowsAreAllKept()
    {
        var source = _mlContext.Rows("a", "b", "c");
        var kept = KeptRows.Read(source, [source.Schema["Text"]], 100, default);
        using var cursor = kept.GetRowCursor([kept.Schema["Text"]]);
        var text = ColumnReader.Of(cursor, kept.Schema["Text"]);
        List<object?> texts = [];
        for (var i = 0; i < 3 && cursor.MoveNext(); i++)
            texts.Add(text.Read());
        CollectionAssert.AreEquivalent(new[] { "a", "b", "c" }, texts);
    }

    private sealed class Marked
    {
        public float Score { get; set; }
    }
}
