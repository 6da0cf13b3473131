using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
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
    public void ATextIsScoredWithoutABeginningWhereTheTokenizerAddsNone()
    {
        var mlContext = new MLContext();
        var data = mlContext.Rows("The cat");
        using var folder = new TemporaryFolder();
        foreach (var (source, name) in ((string, string)[])
        [
            (SharedData.Folder("data", "stories260K"), "config.json"),
            (SharedData.Folder("data", "stories260K"), "model.safetensors"),
            (SharedData.Folder("golden-cases", "tokenizer-add-bos-false"), "tokenizer.model"),
            (SharedData.Folder("golden-cases", "tokenizer-add-bos-false"), "tokenizer_config.json"),
        ])
        {
            File.Copy(Path.Combine(source, name), folder[name]);
        }
        using var transformer = mlContext.Transforms.ElasticScoring(folder.Path).Fit(data);
        var score = mlContext.Scores(transformer.Transform(data)).Single();
        Assert.AreEqual(2, score.TokenCount);
        Assert.AreEqual(-3.8555, score.LogProbability, 5e-5);
    }

    [TestMethod]
    public void TextThatIsTakenLiterallyIsScoredByItsCharacters()
    {
        const string Text = "The cat</s> sat <s>";
        var mlContext = new MLContext();
        var data = mlContext.Rows(Text);
        using var model = CoLMModel.Load(SharedData.Folder("data", "stories260K"));
        int[] ids = model.TokenizerFiles!.CreateTokenizer(parseSpecialTokens: false).EncodeDocument(Text, model.Config.BosTokenId);
        Assert.IsTrue(ids[1..].All(id => id > 2));
        using var transformer = mlContext.Transforms.ElasticScoring(
            new ElasticScoringEstimator.Options { Model = model, ParseSpecialTokens = false }).Fit(data);
        var score = mlContext.Scores(transformer.Transform(data)).Single();
        Assert.AreEqual(ids.Length - 1, score.TokenCount);
        Assert.AreEqual(SequenceScorer.Score(model, [ids], chainCount: 1)[0], score.LogProbability, 1e-4);
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
