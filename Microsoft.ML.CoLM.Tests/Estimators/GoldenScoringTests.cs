using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass]
public sealed class GoldenScoringTests
{
    private const double RowTolerance = 1e-3;
    private const double MeanTolerance = 5e-5;

    [TestMethod]
    public void EveryStoryHasTheLogProbabilityOfTheReference()
    {
        var reference = GoldenStories.Read();
        var mlContext = new MLContext();
        var data = mlContext.Rows(reference.Texts);
        using var transformer = mlContext.Transforms
            .ElasticScoring(SharedData.Folder("data", "stories260K")).Fit(data);
        var scores = mlContext.Scores(transformer.Transform(data));

        Assert.HasCount(reference.Rows.Length, scores);
        for (var i = 0; i < scores.Length; i++)
        {
            var expected = reference.Rows[i];
            Assert.AreEqual(expected.Tokens, scores[i].TokenCount, $"Row {expected.Row}");
            Assert.AreEqual(expected.LogProbability, scores[i].LogProbability, RowTolerance, $"Row {expected.Row}");
        }
        Assert.AreEqual(reference.MeanLoss, scores.MeanLoss(), MeanTolerance);
    }

    [TestMethod]
    public void TheScorerAddsUpWhatTheReferenceDoes()
    {
        var reference = GoldenStories.Read();
        using var model = CoLMModel.Load(SharedData.Folder("data", "stories260K"));
        var tokenizer = model.CreateTokenizer();
        int[][] sequences = [.. reference.Texts.Take(20)
            .Select(text => tokenizer.EncodeDocument(text, model.Config.BosTokenId))];
        var sums = SequenceScorer.Score(model, sequences, chainCount: 1);
        for (var i = 0; i < sums.Length; i++)
            Assert.AreEqual(reference.Rows[i].LogProbability, sums[i], RowTolerance);
    }
}
