using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM.Tests.Evaluation;

/// <summary>Pearson's and Spearman's correlations of a column of scores with one of labels.</summary>
[TestClass, DoNotParallelize]
public sealed class CorrelationTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void CorrelationsAreThoseOfTheDefinitions()
    {
        // Computed by a Python program of its own.
        double[] labels = [0, 1.5, 2.25, 3, 3, 5], scores = [0.3, 0.1, 2.5, 2.5, 4, 3.5];
        var metrics = Evaluate(labels, scores);
        Assert.AreEqual(0.814889605169818, metrics.PearsonCorrelation, 1e-12);
        Assert.AreEqual(0.8088235294117647, metrics.SpearmanCorrelation, 1e-12);
        Assert.AreEqual(6, metrics.Count);
    }

    [TestMethod]
    public void EqualNumbersShareTheMeanOfTheirRanks() => CollectionAssert.AreEqual(
        (double[])[4.5, 1, 2.5, 4.5, 2.5, 6], Correlation.Ranks([7, -1, 3, 7, 3, 100]));

    [TestMethod]
    public void WhatGrowsInStepIsOneAndAgainstItMinusOne()
    {
        double[] labels = [1, 2, 3, 4];
        Assert.AreEqual(1, Evaluate(labels, [10, 20, 30, 40]).PearsonCorrelation);
        Assert.AreEqual(-1, Evaluate(labels, [8, 6, 4, 2]).PearsonCorrelation);
        var curved = Evaluate(labels, [1, 10, 100, 1000]);
        Assert.AreEqual(1, curved.SpearmanCorrelation);
        Assert.IsLessThan(0.9, curved.PearsonCorrelation);
    }

    [TestMethod]
    [DataRow(1e-300)]
    [DataRow(1e-200)]
    [DataRow(1e300)]
    public void NeitherTheSmallestNorTheLargestNumbersChangeThem(double scale)
    {
        double[] labels = [1, 4, 2, 8];
        Assert.AreEqual(Correlation.Pearson(labels, [1, 2, 3, 4]),
            Correlation.Pearson(labels, [scale, 2 * scale, 3 * scale, 4 * scale]), 1e-12);
    }

    [TestMethod]
    public void WhereASideDoesNotVaryThereAreNone()
    {
        foreach (var (labels, scores) in ((double[], double[])[])[([1, 2, 3], [0.1, 0.1, 0.1]), ([0.1, 0.1, 0.1], [1, 2, 3]), ([1], [2])])
        {
            var metrics = Evaluate(labels, scores);
            Assert.IsTrue(double.IsNaN(metrics.PearsonCorrelation));
            Assert.IsTrue(double.IsNaN(metrics.SpearmanCorrelation));
            Assert.AreEqual(labels.Length, metrics.Count);
        }
    }

    [TestMethod]
    public void RowsWithoutALabelAreLeftOutAndToldOf()
    {
        List<string> messages = [];
        _mlContext.Log += (_, entry) => messages.Add(entry.RawMessage);
        var metrics = Evaluate([1, double.NaN, 2, 4], [1, double.NaN, 3, 2]);
        Assert.AreEqual(Evaluate([1, 2, 4], [1, 3, 2]).PearsonCorrelation, metrics.PearsonCorrelation);
        Assert.AreEqual(3, metrics.Count);
        Assert.IsTrue(messages.Exists(message => message.Contains("1 rows have no label in column 'Label'", StringComparison.Ordinal)));
        var error = Assert.ThrowsExactly<ArgumentException>(() => Evaluate([double.NaN], [1]));
        Assert.Contains("'Label'", error.Message);
    }

    [TestMethod]
    [DataRow(double.NaN)]
    [DataRow(double.PositiveInfinity)]
    public void AScoreThatIsNoNumberIsRefusedWithItsRow(double score)
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Evaluate([1, 2, 3], [1, score, 2]));
        Assert.Contains("'Score'", error.Message);
        Assert.Contains("row 1, counted from 0", error.Message);
    }

    [TestMethod]
    public void ColumnsMayBeOfThreeTypes()
    {
        var rows = _mlContext.Data.LoadFromEnumerable(
            (NumberRow[])[new(1, 1.5f, 2.5, "x"), new(2, 4, 3.5, "y"), new(3, 3, 9, "z")]);
        var operations = _mlContext.CoLM();
        var expected = Correlation.Pearson([1, 2, 3], [1.5, 4, 3]);
        Assert.AreEqual(expected, operations.EvaluateCorrelation(rows, "Whole", "Single").PearsonCorrelation);
        Assert.AreEqual(expected, operations.EvaluateCorrelation(rows, "Single", "Whole").PearsonCorrelation);
        Assert.AreEqual(Correlation.Pearson([1, 2, 3], [2.5, 3.5, 9]),
            operations.EvaluateCorrelation(rows, "Whole", "Double").PearsonCorrelation);
        Assert.Contains("'Name'", Assert.ThrowsExactly<ArgumentException>(
            () => operations.EvaluateCorrelation(rows, "Whole", "Name")).Message);
        var missing = Assert.ThrowsExactly<ArgumentException>(() => operations.EvaluateCorrelation(rows, "Lable", "Single"));
        Assert.Contains("no label column 'Lable'", missing.Message);
        Assert.Contains("'Whole'", missing.Message);
        Assert.Contains("no score column 'Score'", Assert.ThrowsExactly<ArgumentException>(
            () => operations.EvaluateCorrelation(rows, "Whole")).Message);
    }

    [TestMethod]
    public void ATuningsMetricIsZeroWhereThereIsNone()
    {
        Assert.AreEqual(0, TaskMetrics.Regression([[1], [1]], [2, 3]).Correlation);
        var (loss, correlation) = TaskMetrics.Regression([[1], [2], [4]], [2, 4, 8]);
        Assert.AreEqual(1, correlation, 1e-15);
        Assert.AreEqual((1 + 4 + 16) / 3.0, loss);
    }

    private CorrelationMetrics Evaluate(double[] labels, double[] scores) => _mlContext.CoLM().EvaluateCorrelation(
        _mlContext.Data.LoadFromEnumerable(labels.Zip(scores, (label, score) => new PredictedNumber(label, score))));

    private sealed record PredictedNumber(double Label, double Score);

    private sealed record NumberRow(int Whole, float Single, double Double, string Name);
}
