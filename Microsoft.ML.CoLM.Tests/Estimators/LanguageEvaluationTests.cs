using System.Text;
using System.Text.RegularExpressions;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class LanguageEvaluationTests
{
    private const double Tolerance = 1e-12;

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void SumsComeBeforeTheQuotient()
    {
        var metrics = Evaluate(("ab cd", -3, 2), ("x", -1, 4), ("é", -6, 1));
        Assert.AreEqual(10 / 7.0, metrics.Loss, Tolerance);
        Assert.AreEqual(Math.Exp(10 / 7.0), metrics.Perplexity, Tolerance);
        Assert.AreEqual(10 / (8 * Math.Log(2)), metrics.BitsPerByte, Tolerance);
        Assert.AreEqual(Math.Exp(10 / 4.0), metrics.WordPerplexity, 1e-10);
        Assert.AreEqual(7, metrics.TokenCount);
        Assert.AreEqual(0, metrics.ChainCount);
    }

    [TestMethod]
    [DataRow("", 1)]
    [DataRow("one", 1)]
    [DataRow("one two", 2)]
    [DataRow("one \t\r\n two", 2)]
    [DataRow(" one", 2)]
    [DataRow("one ", 2)]
    [DataRow("  ", 2)]
    [DataRow("\u3000one\u00A0two\u2028three\u0085", 5)]
    [DataRow("a\u001Cb\u001Fc", 3)]
    [DataRow("zero\u200Bwidth", 1)]
    public void WordsAreThePiecesBetweenRunsOfWhiteSpace(string text, int words)
    {
        Assert.AreEqual(words, default(TextCounts).Plus(text, 0).Words);
        // .NET's white space is Python's but for four separators of ASCII.
        Assert.HasCount(words, Regex.Split(text, @"[\s\u001C-\u001F]+"));
    }

    [TestMethod]
    public void WordsOfManyDocumentsAreAddedUp()
    {
        var texts = TextModels.Texts.Select(text => text ?? "").ToArray();
        var counts = texts.Aggregate(default(TextCounts), (sum, text) => sum.Plus(text, text.Length));
        Assert.AreEqual(texts.Sum(text => Regex.Split(text, @"\s+").Length), counts.Words);
        Assert.AreEqual(texts.Sum(text => Encoding.UTF8.GetByteCount(text)), counts.Bytes);
        Assert.AreEqual(texts.Sum(text => text.Length), counts.Tokens);
    }

    [TestMethod]
    public void AModelsRowsGiveWhatTheirColumnsSay()
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = _mlContext.Scorer(model, chainCount: 1, batchSize: 3);
        var rows = transformer.Score(_mlContext, TextModels.Texts);
        var metrics = _mlContext.CoLM().EvaluateLanguageModel(transformer.Transform(_mlContext.Rows(TextModels.Texts)));
        var sum = -rows.Sum(row => (double)row.LogProbability);
        Assert.AreEqual(rows.MeanLoss(), metrics.Loss, Tolerance);
        Assert.AreEqual(sum / Math.Log(2) / TextModels.Texts.Sum(text => Encoding.UTF8.GetByteCount(text ?? "")),
            metrics.BitsPerByte, 1e-9);
        Assert.AreEqual(Math.Exp(sum / TextModels.Texts.Sum(text => Regex.Split(text ?? "", @"\s+").Length)),
            metrics.WordPerplexity, 1e-9 * metrics.WordPerplexity);
        Assert.AreEqual(rows.Sum(row => row.TokenCount), metrics.TokenCount);
        Assert.AreEqual(1, metrics.ChainCount);
    }

    [TestMethod]
    public void ColumnsOfOtherNamesAreKnownByTheirAnnotationsBehindOtherTransformsAndFromAZip()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        var data = _mlContext.Rows(TextModels.Texts);
        using var fitted = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = model,
            LogProbabilityColumnName = "Log",
            TokenCountColumnName = "Count",
            PerplexityColumnName = "Confusion",
        }).Append(_mlContext.Transforms.CopyColumns("Renamed", "Log"))
            .Append(_mlContext.Transforms.DropColumns("Log"))
            .Append(_mlContext.Transforms.NormalizeMinMax("Number")).Fit(data);
        _mlContext.CoLM().Save(fitted, data.Schema, folder["model.zip"]);
        var loaded = _mlContext.CoLM().Load(folder["model.zip"], out _);
        using var disposing = (IDisposable)loaded;
        using var plain = _mlContext.Scorer(model);
        var expected = _mlContext.CoLM().EvaluateLanguageModel(plain.Transform(data));
        Assert.AreEqual(2, expected.ChainCount);
        foreach (var transformer in (ITransformer[])[fitted, loaded])
        {
            var scored = _mlContext.Data.Cache(transformer.Transform(data));
            AreEqual(expected, _mlContext.CoLM().EvaluateLanguageModel(scored));
        }
    }

    [TestMethod]
    public void TheLastScoresCount()
    {
        using var model = TextModels.Random(4, 4);
        using var one = _mlContext.Scorer(model, chainCount: 1);
        using var two = _mlContext.Scorer(model, chainCount: 2);
        var data = _mlContext.Rows(TextModels.Texts);
        var metrics = _mlContext.CoLM();
        AreEqual(metrics.EvaluateLanguageModel(two.Transform(data)),
            metrics.EvaluateLanguageModel(two.Transform(one.Transform(data))));
        AreEqual(metrics.EvaluateLanguageModel(one.Transform(data)),
            metrics.EvaluateLanguageModel(one.Transform(two.Transform(data))));
    }

    [TestMethod]
    public void RowsOfACascadeHaveNoOneChainCount()
    {
        using var model = TextModels.Random(4, 4);
        using var all = _mlContext.Scorer(model);
        using var cascade = all.WithCascade(new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [-1] });
        var data = _mlContext.Rows(TextModels.Texts);
        var metrics = _mlContext.CoLM().EvaluateLanguageModel(cascade.Transform(data));
        Assert.AreEqual(0, metrics.ChainCount);
        Assert.AreEqual(_mlContext.CoLM().EvaluateLanguageModel(all.Transform(data)).Loss, metrics.Loss, 1e-5 * metrics.Loss);
    }

    [TestMethod]
    public void SumsBeyondFloatsAndPerplexitiesBeyondDoublesAreNotLost()
    {
        var metrics = Evaluate([.. Enumerable.Repeat(("a", -3e38f, int.MaxValue), 100)]);
        Assert.AreEqual(100L * int.MaxValue, metrics.TokenCount);
        Assert.AreEqual(3e38 / int.MaxValue, metrics.Loss, 1e-6 * metrics.Loss);
        Assert.AreEqual(double.PositiveInfinity, metrics.WordPerplexity);
        Assert.AreEqual(double.PositiveInfinity, metrics.Perplexity);
    }

    [TestMethod]
    public void WhatIsMissingIsNamedWithWhatThereIs()
    {
        var rows = _mlContext.Rows("a");
        FailsWith(() => _mlContext.CoLM().EvaluateLanguageModel(rows),
            "The scored data has no column 'LogProbability'", "LanguageModeling", "'Text', 'Number'");
        FailsWith(() => _mlContext.CoLM().EvaluateLanguageModel(rows, "Story"),
            "The scored data has no text column 'Story'. It has 'Text', 'Number'");
        FailsWith(() => _mlContext.CoLM().EvaluateLanguageModel(rows, "Number"), "'Number' of type Text, found Single");
        FailsWith(() => _mlContext.CoLM().EvaluateLanguageModel(Data(("a", -1f, 1)), "LogProbability"), "of type Text");
        var swapped = _mlContext.Transforms.CopyColumns("LogProbability", "TokenCount").Fit(Data()).Transform(Data(("a", -1f, 1)));
        FailsWith(() => _mlContext.CoLM().EvaluateLanguageModel(swapped), "'LogProbability' of type Single, found Int32");
        var countless = _mlContext.Transforms.DropColumns("TokenCount").Fit(Data()).Transform(Data(("a", -1f, 1)));
        FailsWith(() => _mlContext.CoLM().EvaluateLanguageModel(countless), "no column 'TokenCount'");
        Assert.ThrowsExactly<ArgumentNullException>(() => _mlContext.CoLM().EvaluateLanguageModel(null!));
        Assert.ThrowsExactly<ArgumentException>(() => _mlContext.CoLM().EvaluateLanguageModel(rows, ""));
    }

    [TestMethod]
    public void RowsOfWhichThereIsNoMeanAreRefused()
    {
        FailsWith(() => Evaluate(), "no row with a token to score in column 'Text'");
        FailsWith(() => Evaluate(("", 0, 0), ("a", 0, 0)), "no row with a token to score");
        FailsWith(() => Evaluate(("", -1, 3)), "3 tokens scored and no text in column 'Text'");
        FailsWith(() => Evaluate(("a", -1, 1), ("b", float.NaN, 1)),
            "'LogProbability' of the scored data must be a finite number, found NaN in row 1");
        FailsWith(() => Evaluate(("b", float.NegativeInfinity, 1)), "found -Infinity in row 0");
        FailsWith(() => Evaluate(("b", -1, -2)), "'TokenCount' of the scored data must be at least 0, found -2 in row 0");
    }

    [TestMethod]
    public void StoriesHaveTheReferencesLoss()
    {
        var reference = GoldenStories.Read();
        var data = _mlContext.Rows(reference.Texts);
        using var transformer = _mlContext.Transforms.ElasticScoring(SharedData.Folder("data", "stories260K")).Fit(data);
        var metrics = _mlContext.CoLM().EvaluateLanguageModel(transformer.Transform(data));
        Assert.AreEqual(reference.MeanLoss, metrics.Loss, 5e-5);
        var sum = -reference.Rows.Sum(row => row.LogProbability);
        Assert.AreEqual(Math.Exp(sum / reference.Texts.Sum(text => Regex.Split(text, @"\s+").Length)),
            metrics.WordPerplexity, 1e-4 * metrics.WordPerplexity);
        Assert.AreEqual(sum / (Math.Log(2) * reference.Texts.Sum(text => Encoding.UTF8.GetByteCount(text))),
            metrics.BitsPerByte, 1e-4);
        AreClose(metrics, _mlContext.CoLM().EvaluateChainCounts(transformer, data).Single());
    }

    internal static void AreEqual(LanguageModelMetrics expected, LanguageModelMetrics actual) => AreClose(expected, actual, 0);

    internal static void AreClose(LanguageModelMetrics expected, LanguageModelMetrics actual, double relative = 1e-5)
    {
        Assert.AreEqual(expected.ChainCount, actual.ChainCount);
        Assert.AreEqual(expected.TokenCount, actual.TokenCount);
        Assert.AreEqual(expected.Loss, actual.Loss, relative * expected.Loss);
        Assert.AreEqual(expected.BitsPerByte, actual.BitsPerByte, relative * expected.BitsPerByte);
        Assert.AreEqual(expected.Perplexity, actual.Perplexity, relative * expected.Loss * expected.Perplexity);
        Assert.AreEqual(Math.Log(expected.WordPerplexity), Math.Log(actual.WordPerplexity),
            relative * Math.Log(expected.WordPerplexity));
    }

    internal static void FailsWith(Func<object> action, params string[] parts)
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => action());
        foreach (var part in parts)
            Assert.Contains(part, error.Message);
    }

    private LanguageModelMetrics Evaluate(params (string, float, int)[] rows) =>
        _mlContext.CoLM().EvaluateLanguageModel(Data(rows));

    private IDataView Data(params (string Text, float Log, int Count)[] rows) =>
        _mlContext.Data.LoadFromEnumerable(rows.Select(row => new ScoredRow
        {
            Text = row.Text,
            LogProbability = row.Log,
            TokenCount = row.Count,
        }));
}
