using Microsoft.ML.CoLM.Sweeping;
using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>What a sweep judges language models, choices and correlations by, against this library's evaluators.</summary>
[TestClass, DoNotParallelize]
public sealed class LanguageObjectiveTests
{
    private static readonly ChoiceRow[] Items = [.. Enumerable.Range(0, 8).Select(i => new ChoiceRow
    {
        Context = TextModels.Sentence(10 + i), Choices = [TextModels.Sentence(5 + i % 3), TextModels.Sentence(9 - i % 2)], Label = i % 2,
    })];

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });

    [TestCleanup]
    public void Dispose() => _model.Dispose();

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    public void LossAndPerplexityAreTheEvaluators(int chainCount)
    {
        var rows = _mlContext.Rows(TextModels.Texts);
        using var scorer = _mlContext.Scorer(_model, chainCount);
        var expected = _mlContext.CoLM().EvaluateLanguageModel(scorer.Transform(rows));
        Assert.AreEqual(expected.Loss, Evaluated(SweepMetric.Loss, scorer, rows));
        Assert.AreEqual(expected.Perplexity, Evaluated(SweepMetric.Perplexity, scorer, rows));
        Assert.AreEqual(scorer.Score(_mlContext, TextModels.Texts).MeanLoss(), expected.Loss, 1e-6);
    }

    [TestMethod]
    public void EveryChainCountComesFromOnePass()
    {
        using var scorer = _mlContext.Scorer(_model, chainCount: 1);
        var counted = new CountedRows(_mlContext.Rows(TextModels.Texts));
        var losses = Objective(SweepMetric.Loss).EvaluateChainCounts(scorer, counted)!;
        var perplexities = Objective(SweepMetric.Perplexity).EvaluateChainCounts(scorer, counted)!;
        Assert.HasCount(2, losses);
        Assert.AreEqual(2, counted.CursorsWith("Text"));
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var scale = scorer.WithChainCount(chainCount);
            Assert.AreEqual(Evaluated(SweepMetric.Loss, scale, counted), losses[chainCount - 1], 1e-6);
            Assert.AreEqual(Math.Exp(losses[chainCount - 1]), perplexities[chainCount - 1], 1e-9 * perplexities[chainCount - 1]);
        }
    }

    [TestMethod]
    public void OtherTasksAndMetricsHaveNoSuchPass()
    {
        using var scorer = _mlContext.Scorer(_model);
        var options = Tuning.Steps(scorer, 1);
        options.LabelColumnName = "IsWarm";
        using var tuned = _mlContext.Tune(options, _mlContext.Labelled());
        Assert.IsNull(Objective(SweepMetric.Accuracy, "IsWarm").EvaluateChainCounts(tuned, _mlContext.Labelled()));
        Assert.IsNull(Objective(SweepMetric.MultipleChoiceAccuracy).EvaluateChainCounts(Chooser(), _mlContext.Data.LoadFromEnumerable(Items)));
    }

    [TestMethod]
    public void LogProbabilitiesOfAnotherNameAreFound()
    {
        var rows = _mlContext.Rows(TextModels.Texts);
        using var plain = _mlContext.Scorer(_model);
        using var named = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = _model,
            LogProbabilityColumnName = "Log",
            TokenCountColumnName = "Tokens",
        }).Fit(rows);
        Assert.AreEqual(Evaluated(SweepMetric.Loss, plain, rows), Evaluated(SweepMetric.Loss, named, rows));
    }

    [TestMethod]
    public void ResponsesToPromptsHaveALoss()
    {
        using var scorer = _mlContext.Scorer(_model);
        var options = Tuning.Steps(scorer, 1);
        options.Task = TuningTask.Completion;
        var rows = _mlContext.Data.LoadFromEnumerable(Enumerable.Range(4, 6).Select(
            i => new PromptRow(TextModels.Sentence(i), TextModels.Sentence(12 - i))).ToArray());
        using var tuned = _mlContext.Tune(options, rows);
        var scored = _mlContext.Data.CreateEnumerable<CompletionRow>(tuned.Transform(rows), reuseRowObject: false).ToArray();
        Assert.AreEqual(-scored.Sum(row => (double)row.LogProbability) / scored.Sum(row => row.TokenCount),
            Evaluated(SweepMetric.Loss, tuned, rows), 1e-9);
        Assert.IsNull(Objective(SweepMetric.Loss).EvaluateChainCounts(tuned, rows));
    }

    [TestMethod]
    public void ChoicesAreJudgedByTheirEvaluatorWhateverTheirColumnsAreCalled()
    {
        var rows = _mlContext.Data.LoadFromEnumerable(Items);
        var plain = Chooser();
        var expected = _mlContext.CoLM().EvaluateMultipleChoice(plain.Transform(rows));
        var named = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = _model,
            Task = ScoringTask.MultipleChoice,
            ScoreColumnName = "Sums",
            PredictedLabelColumnName = "Best",
            NormalizedScoreColumnName = "Means",
            NormalizedPredictedLabelColumnName = "BestMean",
        }).Fit(rows);
        foreach (var chooser in new[] { plain, named })
        {
            Assert.AreEqual(expected.Accuracy, Evaluated(SweepMetric.MultipleChoiceAccuracy, chooser, rows));
            Assert.AreEqual(expected.NormalizedAccuracy, Evaluated(SweepMetric.MultipleChoiceNormalizedAccuracy, chooser, rows));
            Assert.AreEqual(expected.F1Score, Evaluated(SweepMetric.F1Score, chooser, rows));
            Assert.AreEqual(expected.MatthewsCorrelation, Evaluated(SweepMetric.MatthewsCorrelation, chooser, rows));
            chooser.Dispose();
        }
    }

    [TestMethod]
    public void ChoicesWithoutTheirAnswersAreRefused()
    {
        using var chooser = Chooser();
        var rows = _mlContext.Data.LoadFromEnumerable(Items);
        Assert.AreEqual("The validation set has no label column 'Gold'. It has 'Context', 'Choices', 'Label'. The validation set " +
            "must go through the same transforms as the training data, as they were fitted to that.",
            Assert.ThrowsExactly<ArgumentException>(() => Objective(SweepMetric.MultipleChoiceAccuracy, "Gold").Check(chooser, rows)).Message);
        StringAssert.StartsWith(
            Assert.ThrowsExactly<ArgumentException>(() => Objective(SweepMetric.F1Score, "Context").Check(chooser, rows)).Message,
            "The validation set must have the index of the right choice, Int32, in column 'Context', which predictions of " +
            "MultipleChoice are compared with, found");
        StringAssert.Contains(
            Assert.ThrowsExactly<ArgumentException>(() => Objective(SweepMetric.Accuracy).Check(chooser, rows)).Message,
            "Metrics that fit are MultipleChoiceAccuracy, MultipleChoiceNormalizedAccuracy, F1Score, MatthewsCorrelation.");
    }

    [TestMethod]
    public void CorrelationsAreTheEvaluators()
    {
        var rows = _mlContext.Labelled();
        using var scorer = _mlContext.Scorer(_model);
        var options = Tuning.Steps(scorer, 3);
        options.LabelColumnName = "Degrees";
        using var tuned = _mlContext.Tune(options, rows);
        var expected = _mlContext.CoLM().EvaluateCorrelation(tuned.Transform(rows), "Degrees");
        Assert.AreEqual(expected.PearsonCorrelation, Evaluated(SweepMetric.PearsonCorrelation, tuned, rows, "Degrees"));
        Assert.AreEqual(expected.SpearmanCorrelation, Evaluated(SweepMetric.SpearmanCorrelation, tuned, rows, "Degrees"));
        Assert.AreNotEqual(expected.PearsonCorrelation, expected.SpearmanCorrelation);
    }

    private ElasticScoringTransformer Chooser() => _mlContext.Transforms.ElasticScoring(
        new ElasticScoringEstimator.Options { Model = _model, Task = ScoringTask.MultipleChoice })
        .Fit(_mlContext.Data.LoadFromEnumerable(Items));

    private SweepObjective Objective(SweepMetric metric, string label = "Label") => SweepObjective.Of(_mlContext, metric, label);

    private double Evaluated(SweepMetric metric, ITransformer model, IDataView rows, string label = "Label")
    {
        Objective(metric, label).Check(model, rows);
        return Objective(metric, label).Evaluate(model, rows);
    }

    private sealed record PromptRow(string Prompt, string Response);
}
