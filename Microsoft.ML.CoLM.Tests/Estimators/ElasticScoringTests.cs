using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class ElasticScoringTests
{
    private const double Tolerance = 2e-5;

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(null, ScalarType.Float32)]
    [DataRow(ScalarType.BFloat16, ScalarType.BFloat16)]
    [DataRow(ScalarType.Float16, ScalarType.Float16)]
    public void AFolderIsLoadedInTheTypeThatIsAskedFor(ScalarType? asked, ScalarType expected)
    {
        using var folder = new TemporaryFolder();
        using (var model = TextModels.Random(4, 4))
            model.Save(folder.Path);
        using var transformer = _mlContext.Transforms
            .ElasticScoring(new ElasticScoringEstimator.Options { ModelFolder = folder.Path, DataType = asked })
            .Fit(_mlContext.Rows("text"));
        Assert.IsTrue(transformer.Model.parameters().All(parameter => parameter.dtype == expected));
    }

    [TestMethod]
    [DataRow(64)]
    [DataRow(63)]
    [DataRow(7)]
    [DataRow(3)]
    [DataRow(2)]
    [DataRow(1)]
    public void WindowsAdvanceByHalfAContextAndScoreEachTokenOnce(int contextLength)
    {
        using var model = TextModels.Random(TextModels.Config(4, 2) with
        {
            ContextLength = contextLength,
            KvSharing = true,
        });
        using var transformer = _mlContext.Scorer(model);
        AreAsInAPlainLoop(model, chainCount: 2, transformer.Score(_mlContext, TextModels.Texts));
    }

    [TestMethod]
    [DataRow(16, null)]
    [DataRow(16, 1)]
    [DataRow(17, 15)]
    [DataRow(2, 1)]
    [DataRow(64, 50)]
    [DataRow(null, 63)]
    public void WindowsOfALengthAdvanceByAStrideAndScoreEachTokenOnce(int? window, int? stride)
    {
        using var model = TextModels.Random(TextModels.Config(4, 2) with { KvSharing = true });
        using var transformer = Windowed(model, window, stride);
        AreAsInAPlainLoop(model, chainCount: 2, transformer.Score(_mlContext, TextModels.Texts), window, stride);
        using var first = transformer.WithChainCount(1);
        AreAsInAPlainLoop(model, chainCount: 1, first.Score(_mlContext, TextModels.Texts), window, stride);
        using var cascade = transformer.WithCascade(new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [-1] });
        AreAsInAPlainLoop(model, chainCount: 2, cascade.Score(_mlContext, TextModels.Texts), window, stride);
    }

    [TestMethod]
    public void WindowsOfATransformerAreKeptUnlessOthersAreAskedFor()
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = Windowed(model, 20, 7);
        using var same = _mlContext.Transforms
            .ElasticScoring(new ElasticScoringEstimator.Options { Transformer = transformer }).Fit(_mlContext.Rows("a"));
        AreAsInAPlainLoop(model, 2, same.Score(_mlContext, TextModels.Texts), 20, 7);
        using var other = _mlContext.Transforms
            .ElasticScoring(new ElasticScoringEstimator.Options { Transformer = transformer, Window = 30 })
            .Fit(_mlContext.Rows("a"));
        AreAsInAPlainLoop(model, 2, other.Score(_mlContext, TextModels.Texts), 30, 15);
        using var denser = _mlContext.Transforms
            .ElasticScoring(new ElasticScoringEstimator.Options { Transformer = transformer, Stride = 3 })
            .Fit(_mlContext.Rows("a"));
        AreAsInAPlainLoop(model, 2, denser.Score(_mlContext, TextModels.Texts), 20, 3);
        var error = Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Transforms.ElasticScoring(
            new ElasticScoringEstimator.Options { Transformer = transformer, Stride = 21 }));
        Assert.Contains("Stride", error.Message);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void EveryChainCountScoresAsTheModelDoesWithIt(bool kvSharing)
    {
        using var model = TextModels.Random(TextModels.Config(4, 2, 4) with { KvSharing = kvSharing });
        for (var chainCount = 1; chainCount <= 3; chainCount++)
        {
            using var transformer = _mlContext.Scorer(model, chainCount);
            Assert.AreEqual(chainCount, transformer.ChainCount);
            AreAsInAPlainLoop(model, chainCount, transformer.Score(_mlContext, TextModels.Texts));
        }
    }

    [TestMethod]
    public void WithoutAChainCountAllChainsScore()
    {
        using var model = TextModels.Random(4, 4);
        using var all = _mlContext.Scorer(model);
        using var two = _mlContext.Scorer(model, chainCount: 2);
        using var one = _mlContext.Scorer(model, chainCount: 1);
        Assert.AreEqual(2, all.ChainCount);
        CollectionAssert.AreEqual(
            two.Score(_mlContext, TextModels.Texts), all.Score(_mlContext, TextModels.Texts));
        Assert.AreNotEqual(
            one.Score(_mlContext, "a text")[0].LogProbability, all.Score(_mlContext, "a text")[0].LogProbability);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    [DataRow(64)]
    [DataRow(1000)]
    public void ScoresDoNotDependOnTheBatchSize(int batchSize)
    {
        using var model = TextModels.Random(4, 4);
        using var ordinary = _mlContext.Scorer(model, batchSize: 5);
        using var other = _mlContext.Scorer(model, batchSize: batchSize);
        string?[] texts = [.. TextModels.Texts, .. TextModels.Texts, .. TextModels.Texts];
        Scoring.AreClose(ordinary.Score(_mlContext, texts), other.Score(_mlContext, texts));
    }

    [TestMethod]
    public void ScoresDoNotDependOnTheRowsBeside()
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = _mlContext.Scorer(model);
        var together = transformer.Score(_mlContext, TextModels.Texts);
        ScoredRow[] alone = [.. TextModels.Texts.Select(text => transformer.Score(_mlContext, text)[0])];
        Scoring.AreClose(alone, together);
        var reversed = transformer.Score(_mlContext, TextModels.Texts.Reverse());
        Scoring.AreClose(alone, reversed.Reverse().ToArray());
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(64)]
    public void NullAndEmptyTextsScoreNoTokens(int batchSize)
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model, batchSize: batchSize);
        foreach (string?[] texts in (string?[][])[[null], [""], [null, "", null], [null, "a text", ""]])
        {
            foreach (var score in transformer.Score(_mlContext, texts).Where(score => score.Text is null or ""))
            {
                Assert.AreEqual(0, score.LogProbability);
                Assert.AreEqual(0, score.TokenCount);
                Assert.AreEqual(float.NaN, score.Perplexity);
            }
        }
    }

    [TestMethod]
    public void DataWithoutRowsGivesNoScores()
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model);
        Assert.IsEmpty(transformer.Score(_mlContext));
    }

    [TestMethod]
    public void PerplexityIsTheExponentialOfTheMeanLoss()
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model);
        foreach (var score in transformer.Score(_mlContext, TextModels.Texts).Where(score => score.TokenCount > 0))
        {
            var expected = Math.Exp(-score.LogProbability / (double)score.TokenCount);
            Assert.AreEqual(expected, score.Perplexity, 1e-5 * expected);
        }
    }

    [TestMethod]
    public void ATokenIsAByteWithTheByteTokenizer()
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model);
        foreach (var score in transformer.Score(_mlContext, TextModels.Texts))
            Assert.AreEqual(Encoding.UTF8.GetByteCount(score.Text ?? ""), score.TokenCount, score.Text);
    }

    [TestMethod]
    public void AModelWithoutABeginningOfTextScoresFromTheSecondTokenOn()
    {
        using var given = TextModels.Random(4);
        using var folder = new TemporaryFolder();
        given.Save(folder.Path);
        Change(folder["config.json"], json => json["bos_token_id"] = null);
        Change(folder["tokenizer.json"], json => json["post_processor"] = null);

        using var transformer = _mlContext.Transforms.ElasticScoring(folder.Path).Fit(_mlContext.Rows("text"));
        Assert.IsNull(transformer.Model.Config.BosTokenId);
        var scores = transformer.Score(_mlContext, "ab", "a", "");
        CollectionAssert.AreEqual(new[] { 1, 0, 0 }, scores.Select(score => score.TokenCount).ToArray());
        Assert.IsLessThan(0, scores[0].LogProbability);
        Assert.IsTrue(scores[1..].All(score => score.LogProbability == 0 && float.IsNaN(score.Perplexity)));
        AreAsInAPlainLoop(transformer.Model, chainCount: 1, transformer.Score(_mlContext, TextModels.Texts));
    }

    [TestMethod]
    public void AModelOfBFloat16Scores()
    {
        using var model = TextModels.Random(TextModels.Config(4, 4), dtype: ScalarType.BFloat16);
        using var transformer = _mlContext.Scorer(model);
        var scores = transformer.Score(_mlContext, TextModels.Texts);
        Assert.IsTrue(scores.All(score => float.IsFinite(score.LogProbability) && score.LogProbability <= 0));
        Assert.IsTrue(scores.All(score => score.TokenCount == 0 || score.LogProbability < 0));
    }

    [TestMethod]
    public void ColumnsHaveTheNamesThatWereAskedFor()
    {
        using var model = TextModels.Random(4);
        var data = _mlContext.Transforms.CopyColumns("Story", "Text").Append(_mlContext.Transforms.DropColumns("Text"))
            .Fit(_mlContext.Rows(TextModels.Texts)).Transform(_mlContext.Rows(TextModels.Texts));
        using var transformer = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = model,
            TextColumnName = "Story",
            LogProbabilityColumnName = "L",
            TokenCountColumnName = "N",
            PerplexityColumnName = "P",
        }).Fit(data);
        using var ordinary = _mlContext.Scorer(model);
        var expected = ordinary.Score(_mlContext, TextModels.Texts);
        var scored = transformer.Transform(data);
        CollectionAssert.AreEqual(
            expected.Select(score => score.LogProbability).ToArray(), scored.GetColumn<float>("L").ToArray());
        CollectionAssert.AreEqual(
            expected.Select(score => score.TokenCount).ToArray(), scored.GetColumn<int>("N").ToArray());
        CollectionAssert.AreEqual(
            expected.Select(score => score.Perplexity).ToArray(), scored.GetColumn<float>("P").ToArray());
    }

    private static void Change(string path, Action<JsonObject> change)
    {
        var json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        change(json);
        File.WriteAllText(path, json.ToJsonString());
    }

    private ElasticScoringTransformer Windowed(CoLMModel model, int? window, int? stride) =>
        _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = model,
            Window = window,
            Stride = stride,
        }).Fit(_mlContext.Rows("text"));

    private static void AreAsInAPlainLoop(
        CoLMModel model, int chainCount, ScoredRow[] scores, int? window = null, int? stride = null)
    {
        foreach (var score in scores)
        {
            var (logProbability, tokenCount) = PlainScoring.Score(model, score.Text, chainCount, window, stride);
            Assert.AreEqual(tokenCount, score.TokenCount, score.Text);
            var tolerance = Tolerance * Math.Max(1, Math.Abs(logProbability));
            Assert.AreEqual(logProbability, score.LogProbability, tolerance, score.Text);
        }
    }
}
