using System.Reflection;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class MultipleChoiceEvaluationTests
{
    private const double Exact = 1e-12;

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void AccuraciesAreMeansWithTheirStandardErrors()
    {
        // By bytes, "éé" has four and is worth less than "abc".
        string[] choices = ["éé", "abc"];
        var metrics = Evaluate([
            Row(0, predicted: 0, normalized: 1, choices, [-4, -3.5f]),
            Row(1, predicted: 1, normalized: 1, choices, [-4, -3.5f]),
            Row(1, predicted: 0, normalized: 1, choices, [-4, -2.5f]),
            Row(0, predicted: 0, normalized: 0, choices, [-1, -2.5f])]);
        Assert.AreEqual(4, metrics.Count);
        Assert.AreEqual(0.75, metrics.Accuracy, Exact);
        Assert.AreEqual(0.75, metrics.NormalizedAccuracy, Exact);
        // -1 a byte against -1.17, twice; -1 against -0.83; -0.25 against -0.83.
        Assert.AreEqual(0.75, metrics.BytesAccuracy, Exact);
        Assert.AreEqual(Math.Sqrt(0.75 * 0.25 / 3), metrics.StandardError, Exact);
        Assert.AreEqual(Math.Sqrt(0.75 * 0.25 / 3), metrics.NormalizedStandardError, Exact);
    }

    [TestMethod]
    public void ASingleRowHasNoStandardError()
    {
        var metrics = Evaluate([Row(1, predicted: 1, normalized: 0, ["a", "b"], [-2, -1])]);
        Assert.AreEqual(1, metrics.Accuracy);
        Assert.AreEqual(0, metrics.NormalizedAccuracy);
        Assert.IsTrue(double.IsNaN(metrics.StandardError) && double.IsNaN(metrics.NormalizedStandardError));
    }

    [TestMethod]
    public void F1IsThatOfChoiceOneAndMatthewsThatOfBoth()
    {
        var metrics = Evaluate(Rows([0, 1, 1, 0, 1, 0, 1], [0, 1, 0, 0, 1, 1, 0], count: 2));
        // Found 2, wrongly 1, missed 2; found 2 of choice 0.
        Assert.AreEqual(4.0 / (4 + 1 + 2), metrics.F1Score, Exact);
        Assert.AreEqual((2 * 2 - 1 * 2) / Math.Sqrt(3.0 * 4 * 3 * 4), metrics.MatthewsCorrelation, Exact);

        Assert.AreEqual(1, Evaluate(Rows([0, 1], [0, 1], count: 2)).F1Score);
        Assert.AreEqual(-1, Evaluate(Rows([0, 1], [1, 0], count: 2)).MatthewsCorrelation);
        // As scikit-learn has it where there is nothing to divide by.
        Assert.AreEqual(0, Evaluate(Rows([0, 0], [0, 0], count: 2)).F1Score);
        Assert.AreEqual(0, Evaluate(Rows([0, 1], [0, 0], count: 2)).MatthewsCorrelation);
    }

    [TestMethod]
    public void OfMoreChoicesThereIsMatthewsCorrelationAndNoF1()
    {
        var metrics = Evaluate(Rows([0, 1, 2, 2, 1, 0, 1, 2], [0, 2, 2, 2, 1, 0, 0, 1], count: 3));
        Assert.IsTrue(double.IsNaN(metrics.F1Score));
        Assert.AreEqual(0.4523809523809524, metrics.MatthewsCorrelation, Exact); // numpy: of the one-hot columns' covariances
        Assert.IsTrue(double.IsNaN(Evaluate([.. Rows([0, 1], [0, 1], count: 2), .. Rows([2], [2], count: 3)]).F1Score));
    }

    [TestMethod]
    public void ALabelMayBeAnyNumberOrAKeyOfNumbers()
    {
        var data = _mlContext.Data.LoadFromEnumerable(Rows([2, 0, 1, 1], [2, 0, 1, 0], count: 3));
        foreach (var type in new[] { DataKind.Int32, DataKind.Int64, DataKind.Single, DataKind.Double })
            Check(_mlContext.Transforms.Conversion.ConvertType("L", "Label", type));
        Check(_mlContext.Transforms.CopyColumns("L", "Small"));
        // The first key is the first value that was found, 2.
        foreach (var type in new[] { DataKind.Int32, DataKind.Int64, DataKind.Single })
        {
            Check(_mlContext.Transforms.Conversion.ConvertType("T", "Label", type)
                .Append(_mlContext.Transforms.Conversion.MapValueToKey("L", "T")));
        }
        // Without values, the key counts the choices.
        Check(_mlContext.Transforms.CopyColumns("L", "Key"));

        void Check(IEstimator<ITransformer> estimator) => Assert.AreEqual(0.75,
            _mlContext.CoLM().EvaluateMultipleChoice(estimator.Fit(data).Transform(data), "L").Accuracy);
    }

    [TestMethod]
    [DataRow(-1)]
    [DataRow(3)]
    [DataRow(int.MaxValue)]
    public void AnAnswerThatIsNoChoiceIsNamedWithItsRow(int answer)
    {
        var rows = Rows([0, answer, 1], [0, 1, 1], count: 3);
        var error = Assert.ThrowsExactly<ArgumentException>(() => Evaluate(rows));
        Assert.Contains("Row 1", error.Message);
        Assert.Contains($"{answer}", error.Message);
        Assert.Contains("'Label'", error.Message);
        Assert.Contains("3 choices", error.Message);
    }

    [TestMethod]
    [DataRow(float.NaN)]
    [DataRow(0.5f)]
    [DataRow(float.PositiveInfinity)]
    public void AnAnswerThatIsNoWholeNumberIsNamedWithItsRow(float answer)
    {
        var rows = Rows([0, 0], [0, 1], count: 2);
        rows[1].Number = answer;
        var error = Assert.ThrowsExactly<ArgumentException>(() => Evaluate(rows, "Number"));
        Assert.Contains("Row 1", error.Message);
        Assert.Contains("'Number'", error.Message);
    }

    [TestMethod]
    [DataRow("Score")]
    [DataRow("PredictedLabel")]
    [DataRow("NormalizedPredictedLabel")]
    [DataRow("Choices")]
    [DataRow("Label")]
    public void AMissingColumnIsNamedWithThoseThatAreThere(string missing)
    {
        var data = _mlContext.Data.LoadFromEnumerable(Rows([0], [0], count: 2));
        var without = _mlContext.Transforms.DropColumns(missing).Fit(data).Transform(data);
        var error = Assert.ThrowsExactly<ArgumentException>(() => _mlContext.CoLM().EvaluateMultipleChoice(without));
        Assert.Contains($"'{missing}'", error.Message);
        Assert.Contains("'Number'", error.Message);

        var other = _mlContext.Transforms.CopyColumns(missing, "Text").Fit(data).Transform(data);
        error = Assert.ThrowsExactly<ArgumentException>(() => _mlContext.CoLM().EvaluateMultipleChoice(other));
        Assert.Contains($"'{missing}'", error.Message);
        Assert.Contains("found String", error.Message);
    }

    [TestMethod]
    public void AKeyOfTextsIsRefused()
    {
        var data = _mlContext.Data.LoadFromEnumerable(Rows([0], [0], count: 2));
        var labelled = _mlContext.Transforms.Conversion.MapValueToKey("L", "Text").Fit(data).Transform(data);
        Assert.Contains("'L'", Assert.ThrowsExactly<ArgumentException>(
            () => _mlContext.CoLM().EvaluateMultipleChoice(labelled, "L")).Message);
    }

    [TestMethod]
    public void NoRowsAndScoresThatAreNotAsManyAsTheChoicesAreRefused()
    {
        Assert.Contains("no rows", Assert.ThrowsExactly<ArgumentException>(() => Evaluate([])).Message);
        foreach (var row in (Scored[])[Row(0, 0, 0, ["a", "b"], [-1]), Row(0, 0, 0, [], [])])
            Assert.Contains("Row 0", Assert.ThrowsExactly<ArgumentException>(() => Evaluate([row])).Message);
        var error = Assert.ThrowsExactly<ArgumentException>(() => Evaluate([Row(0, 2, 0, ["a", "b"], [-1, -2])]));
        Assert.Contains("'PredictedLabel'", error.Message);
    }

    [TestMethod]
    public void ACancelledEvaluationEnds()
    {
        var data = _mlContext.Data.LoadFromEnumerable(Rows([0], [0], count: 2));
        typeof(MLContext).GetMethod("CancelExecution", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)!
            .Invoke(_mlContext, null);
        Assert.ThrowsExactly<OperationCanceledException>(() => _mlContext.CoLM().EvaluateMultipleChoice(data));
    }

    private MultipleChoiceMetrics Evaluate(Scored[] rows, string labelColumnName = "Label") =>
        _mlContext.CoLM().EvaluateMultipleChoice(_mlContext.Data.LoadFromEnumerable(rows), labelColumnName);

    private static Scored[] Rows(int[] answers, int[] predicted, int count) => [.. answers.Zip(predicted, (answer, prediction) =>
        Row(answer, prediction, prediction, [.. Enumerable.Repeat("a", count)], new float[count]))];

    private static Scored Row(int label, int predicted, int normalized, string[] choices, float[] score) => new()
    {
        Label = label,
        Small = unchecked((byte)label),
        Key = unchecked((uint)label), // counted from 0 in an object
        PredictedLabel = predicted,
        NormalizedPredictedLabel = normalized,
        Choices = choices,
        Score = score,
    };

    private sealed class Scored
    {
        public string Text { get; set; } = "text";

        public string[] Choices { get; set; } = [];

        public int Label { get; set; }

        public float Number { get; set; }

        public byte Small { get; set; }

        [KeyType(3)]
        public uint Key { get; set; }

        public float[] Score { get; set; } = [];

        public int PredictedLabel { get; set; }

        public int NormalizedPredictedLabel { get; set; }
    }
}
