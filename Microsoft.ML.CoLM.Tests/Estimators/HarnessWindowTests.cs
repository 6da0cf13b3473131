using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class HarnessWindowTests
{
    private const int Window = 8;
    private const double Tolerance = 2e-5;

    private readonly MLContext _mlContext = new(seed: 1);

    public static IEnumerable<object?[]> Lengths =>
        from window in new int?[] { Window, null }
        from around in new[] { 1, 2, 3 }
        from length in new[] { -1, 0, 1 }
        select new object?[] { window, (window ?? TextModels.ContextLength) * around + length };

    [TestMethod]
    [DynamicData(nameof(Lengths))]
    public void EveryTokenIsScoredInTheHarnesssWindows(int? window, int bytes)
    {
        using var model = TextModels.Random(TextModels.Config(4, 2) with { KvSharing = true });
        using var transformer = Fit(model, window);
        var text = TextModels.Sentence(bytes);
        int[] tokens = [.. Encoding(text)];
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var scorer = transformer.WithChainCount(chainCount);
            var score = scorer.Score(_mlContext, text).Single();
            Assert.AreEqual(bytes, score.TokenCount);
            var expected = Plain(model, tokens, ByteTokenizer.BeginningOfTextId, window ?? TextModels.ContextLength, chainCount);
            Assert.AreEqual(expected, score.LogProbability, Tolerance * Math.Abs(expected));
        }
    }

    [TestMethod]
    public void ShortTextsScoreAsEver()
    {
        using var model = TextModels.Random(4, 2);
        using var plain = _mlContext.Scorer(model);
        using var transformer = Fit(model, Window);
        string?[] texts = ["", null, "a", TextModels.Sentence(Window - 1)];
        Scoring.AreClose(plain.Score(_mlContext, texts), transformer.Score(_mlContext, texts));
        Assert.AreEqual(0, transformer.Score(_mlContext, "")[0].TokenCount);
    }

    [TestMethod]
    public void AModelWithoutABeginningOfTextTokenBeginsBehindItsEndOfTextToken()
    {
        var config = TextModels.Config(4) with { BosTokenId = null };
        using var model = TestModels.Random(config);
        model.TokenizerFiles = PlainBytes();
        using var transformer = Fit(model, Window);
        foreach (var length in (int[])[1, Window, 2 * Window + 3])
        {
            var text = TextModels.Sentence(length);
            var score = transformer.Score(_mlContext, text).Single();
            Assert.AreEqual(length, score.TokenCount);
            var expected = Plain(model, [.. Encoding(text)], ByteTokenizer.EndOfTextId, Window, chainCount: 1);
            Assert.AreEqual(expected, score.LogProbability, Tolerance * Math.Abs(expected));
        }
        using var neither = TestModels.Random(config with { EosTokenIds = [] });
        neither.TokenizerFiles = model.TokenizerFiles;
        LanguageEvaluationTests.FailsWith(() => Fit(neither, Window), "Stride", "neither a beginning-of-text nor an end-of-text token");
    }

    [TestMethod]
    public void ATokenizerThatBeginsByItselfBeginsOnce()
    {
        using var model = TestModels.Random(TextModels.Config(4) with { BosTokenId = null });
        model.TokenizerFiles = ByteTokenizer.CreateFiles();
        using var transformer = Fit(model, Window);
        var text = TextModels.Sentence(20);
        var score = transformer.Score(_mlContext, text).Single();
        Assert.AreEqual(20, score.TokenCount);
        var expected = Plain(model, [.. Encoding(text)], ByteTokenizer.BeginningOfTextId, Window, chainCount: 1);
        Assert.AreEqual(expected, score.LogProbability, Tolerance * Math.Abs(expected));
    }

    [TestMethod]
    public void CascadesScoreInTheSameWindows()
    {
        using var model = TextModels.Random(TextModels.Config(4, 2) with { KvSharing = true });
        using var transformer = Fit(model, Window);
        using var cascade = transformer.WithCascade(new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [-1] });
        Scoring.AreClose(
            transformer.Score(_mlContext, TextModels.Texts), cascade.Score(_mlContext, TextModels.Texts));
        using var first = transformer.WithChainCount(1);
        using var few = transformer.WithCascade(new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [1e9] });
        Scoring.AreClose(first.Score(_mlContext, TextModels.Texts), few.Score(_mlContext, TextModels.Texts));
    }

    [TestMethod]
    [DataRow(Window)]
    [DataRow(null)]
    public void AZipKeepsThem(int? window)
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 2);
        using var transformer = Fit(model, window);
        _mlContext.CoLM().Save(transformer, _mlContext.Rows("a").Schema, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)_mlContext.CoLM().Load(folder["model.zip"], out _);
        CollectionAssert.AreEqual(
            transformer.Score(_mlContext, TextModels.Texts), loaded.Score(_mlContext, TextModels.Texts));
    }

    [TestMethod]
    public void OtherTasksRefuseThem()
    {
        using var model = TextModels.Random(4, 2);
        foreach (var window in (int?[])[Window, null])
        {
            LanguageEvaluationTests.FailsWith(() => Fit(model, window, ScoringTask.Features),
                "Stride must be less than the window with Features", FormattableString.Invariant($"found {window ?? TextModels.ContextLength}"));
        }
    }

    [TestMethod]
    public void WindowsReadAsManyTokensAsTheyAreLongAndPredictAllOnce()
    {
        for (var longest = 1; longest <= 6; longest++)
        {
            for (var tokens = 0; tokens <= 40; tokens++)
            {
                var windows = ScoringWindow.Disjoint(3, tokens, longest).ToArray();
                CollectionAssert.AreEqual(Enumerable.Range(1, Math.Max(0, tokens - 1)).ToArray(), windows
                    .SelectMany(window => Enumerable.Range(window.Start, window.Length).Skip(window.ScoredFrom)).ToArray());
                foreach (var window in windows)
                {
                    Assert.AreEqual(3, window.Sequence);
                    Assert.AreEqual(Math.Min(longest, tokens - 1), window.Length - 1);
                    Assert.IsInRange(1, window.Length - 1, window.ScoredFrom);
                }
            }
        }
    }

    private ElasticScoringTransformer Fit(CoLMModel model, int? window, ScoringTask task = ScoringTask.LanguageModeling) =>
        _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = model,
            Task = task,
            Window = window,
            Stride = window ?? TextModels.ContextLength,
        }).Fit(_mlContext.Rows("text"));

    private static IEnumerable<int> Encoding(string text) => System.Text.Encoding.UTF8.GetBytes(text).Select(value => (int)value);

    /// <summary>The byte tokenizer, which puts nothing in front.</summary>
    private static TokenizerFiles PlainBytes() => new([.. ByteTokenizer.CreateFiles().Files.Select(file =>
    {
        if (file.Key != TokenizerFiles.JsonName)
            return file;
        var json = JsonNode.Parse(file.Value)!;
        json["post_processor"] = null;
        return new(file.Key, System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()));
    })]);

    /// <summary>The sum over the harness's windows, each from a pass of its own.</summary>
    private static double Plain(CoLMModel model, int[] tokens, int prefix, int longest, int chainCount)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        double sum = 0;
        foreach (var (input, predicted) in RollingTokenWindows(tokens, prefix, longest))
        {
            Assert.IsLessThanOrEqualTo(longest, input.Length);
            var logits = model.forward(tensor(input, dtype: int64).unsqueeze(0), chainCount)[0];
            for (var i = 0; i < predicted.Length; i++)
            {
                var row = logits[input.Length - predicted.Length + i];
                sum += (row[predicted[i]] - row.logsumexp(0)).ToDouble();
            }
        }
        return sum;
    }

    /// <summary>lm-evaluation-harness's get_rolling_token_windows with one token of context: inputs, and what they predict.</summary>
    private static IEnumerable<(int[] Input, int[] Predicted)> RollingTokenWindows(int[] tokens, int prefix, int longest)
    {
        if (tokens.Length == 0)
            yield break;
        var first = Math.Min(longest, tokens.Length);
        yield return ([prefix, .. tokens[..(first - 1)]], tokens[..first]);
        for (var predicted = first; predicted < tokens.Length;)
        {
            var count = Math.Min(tokens.Length - predicted, longest);
            var end = predicted + count;
            yield return (tokens[(end - longest - 1)..(end - 1)], tokens[(end - count)..end]);
            predicted += count;
        }
    }
}
