using System.Text.Json;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class GoldenChoicesTests
{
    private const double ScoreTolerance = 1e-3;
    private const double MetricTolerance = 1e-9;

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow("hellaswag", LanguageBenchmark.HellaSwag, "hellaswag.jsonl")]
    [DataRow("openbookqa", LanguageBenchmark.OpenBookQA, "openbookqa.jsonl")]
    [DataRow("arc", LanguageBenchmark.ArcEasy, "arc.jsonl")]
    [DataRow("winogrande", LanguageBenchmark.WinoGrande, "winogrande.jsonl")]
    [DataRow("boolq", LanguageBenchmark.BoolQ, "boolq.jsonl")]
    [DataRow("piqa", LanguageBenchmark.Piqa, "piqa.jsonl")]
    [DataRow("sciq", LanguageBenchmark.SciQ, "sciq.json")]
    public void EveryChoiceAndEveryMetricIsTheReferences(string name, LanguageBenchmark benchmark, string file)
    {
        using var reference = JsonDocument.Parse(File.ReadAllText(SharedData.Folder("golden", "choices", "scores.json")));
        var expected = reference.RootElement.GetProperty(name);
        var labels = benchmark == LanguageBenchmark.Piqa ? SharedData.Folder("golden", "choices", "piqa-labels.lst") : null;
        var rows = _mlContext.CoLM().LoadBenchmark(benchmark, SharedData.Folder("golden", "choices", file), labels);
        using var transformer = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            ModelFolder = SharedData.Folder("data", "stories260K"),
            Task = ScoringTask.MultipleChoice,
        }).Fit(rows);
        var scored = transformer.Transform(rows);
        var scores = scored.GetColumn<float[]>("Score").ToArray();
        var expectedScores = expected.GetProperty("scores").EnumerateArray().ToArray();
        Assert.HasCount(expectedScores.Length, scores);
        for (var row = 0; row < scores.Length; row++)
        {
            double[] own = [.. expectedScores[row].EnumerateArray().Select(score => score.GetDouble())];
            Assert.HasCount(own.Length, scores[row]);
            for (var choice = 0; choice < own.Length; choice++)
                Assert.AreEqual(own[choice], scores[row][choice], ScoreTolerance, $"Row {row}, choice {choice}");
        }

        var metrics = _mlContext.CoLM().EvaluateMultipleChoice(scored);
        Assert.AreEqual(expected.GetProperty("count").GetInt32(), metrics.Count);
        Assert.AreEqual(expected.GetProperty("acc").GetDouble(), metrics.Accuracy, MetricTolerance);
        Assert.AreEqual(expected.GetProperty("acc_norm").GetDouble(), metrics.NormalizedAccuracy, MetricTolerance);
        Assert.AreEqual(expected.GetProperty("acc_bytes").GetDouble(), metrics.BytesAccuracy, MetricTolerance);
        Assert.AreEqual(expected.GetProperty("acc_stderr").GetDouble(), metrics.StandardError, MetricTolerance);
    }
}
