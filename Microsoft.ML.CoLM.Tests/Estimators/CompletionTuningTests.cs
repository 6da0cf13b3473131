using System.Collections.Concurrent;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Training;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Chain Tuning on responses to prompts.</summary>
[TestClass, DoNotParallelize]
public sealed class CompletionTuningTests
{
    private static readonly CompletionRow[] Data =
    [
        new() { Prompt = "sky", Response = "blue" }, new() { Prompt = "sun", Response = "hot" },
        new() { Prompt = "the sea", Response = "deep" }, new() { Prompt = "", Response = "what?" },
    ];

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void ItWritesTheResponsesThatItLearnt()
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });
        using var source = _mlContext.Scorer(model);
        var options = Options(source, steps: 120);
        options.Template = "<{0}>{1}";
        using var tuned = Tune(options);
        var generator = new TextGenerator(tuned.Model, tuned.Tokenizer);
        foreach (var row in Data)
        {
            var result = generator.GenerateResult($"<{row.Prompt}>", new() { MaxNewTokens = 20 });
            Assert.AreEqual(row.Response, result.Text);
            Assert.AreEqual(FinishReason.EndOfText, result.FinishReason);
        }
        foreach (var row in Score(tuned, Data))
            Assert.IsLessThan(1.5f, row.Perplexity);
    }

    [TestMethod]
    public void AdaptersOfAChainWhoseHeadIsZeroAreRefusedSinceTheyWouldLearnNothing()
    {
        using var model = TextModels.Random(4);
        using var source = _mlContext.Scorer(model);
        var options = Options(source, steps: 1);
        (options.AddedChains, options.Lora) = ([4], new LoraOptions());
        var error = Assert.ThrowsExactly<ArgumentException>(() => Tune(options));
        Assert.Contains(nameof(options.Lora), error.Message);
        Assert.Contains("chain 2", error.Message);
    }

    [TestMethod]
    public void LongResponsesAreScoredInWindowsOfALength()
    {
        const int Length = 16, Stride = 8;
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var tuning = Options(source, steps: 1);
        tuning.Template = "{0}{1}";
        using var tuned = Tune(tuning);
        CompletionRow[] rows = [new() { Prompt = TextModels.Sentence(30), Response = TextModels.Sentence(45) }];
        using var windowed = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Transformer = tuned,
            Window = Length,
        }).Fit(_mlContext.Data.LoadFromEnumerable(rows));
        var score = Score(windowed, rows)[0];

        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        long[] ids = [256, .. (rows[0].Prompt + rows[0].Response).Select(c => (long)c), 257];
        double expected = 0;
        for (var t = 1 + rows[0].Prompt!.Length; t < ids.Length; t++)
        {
            var start = t < Length ? 0 : (t - Length) / Stride * Stride + Stride;    // of the first window with the token
            var logits = tuned.Model.forward(tensor(ids[start..t]).unsqueeze(0), 2)[0, -1];
            expected += nn.functional.log_softmax(logits, 0)[ids[t]].ToDouble();
        }
        Assert.AreEqual(expected, score.LogProbability, 2e-5 * Math.Abs(expected));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    public void FrozenChainsStayAndHeadsOfTheOthersAreTuned(int frozenChains)
    {
        using var model = TextModels.Random(TextModels.Config(4, 2, 4) with { KvSharing = true });
        var before = TinyTraining.Values(model);
        using var source = _mlContext.Scorer(model);
        var options = Options(source, steps: 2);
        options.FrozenChains = frozenChains;
        using var tuned = Tune(options);
        var changed = Tuning.Differences(before, tuned.Model);
        Assert.IsTrue(Array.TrueForAll(changed, name => ParameterName.Parse(name).Chain >= frozenChains));
        for (var chain = frozenChains; chain < 3; chain++)
            Assert.Contains($"lm_head.chain_{chain + 1}", changed);
        Assert.IsEmpty(Tuning.Differences(before, model));
    }

    [TestMethod]
    [DataRow("{0}{1}")]
    [DataRow("{0} = {1}.")]
    public void AScoreIsTheResponsesLogProbability(string template)
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var options = Options(source, steps: 2);
        options.Template = template;
        using var tuned = Tune(options);
        using var folder = new TemporaryFolder();
        _mlContext.Model.Save(tuned, _mlContext.Data.LoadFromEnumerable(Data).Schema, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)new MLContext().Model.Load(folder["model.zip"], out _);
        CompletionRow[] rows =
            [.. Data, Data[0] with { Response = "" }, Data[0] with { Prompt = TextModels.Sentence(90) }, new()];
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var scale = tuned.WithChainCount(chainCount);
            using var again = loaded.WithChainCount(chainCount);
            var scores = Score(scale, rows);
            CollectionAssert.AreEqual(scores, Score(again, rows));
            foreach (var row in scores)
            {
                if (row.Prompt?.Length > 60)
                    continue;
                var (sum, count) = Naive(tuned.Model, template, row, chainCount);
                Assert.AreEqual(count, row.TokenCount, $"{row}");
                Assert.AreEqual(sum, row.LogProbability, 1e-4 * Math.Max(1, -sum), $"{row}");
                Assert.AreEqual(Math.Exp(-sum / count), row.Perplexity, 1e-3 * Math.Exp(-sum / count), $"{row}");
            }
        }
    }

    [TestMethod]
    public void ValidationFindsTheMeanLossOfResponseTokens()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var options = Options(source, steps: 3);
        options.ValidationSet = _mlContext.Data.LoadFromEnumerable(Data);
        using var tuned = Tune(options);
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var scale = tuned.WithChainCount(chainCount);
            var rows = Score(scale, Data);
            Assert.AreEqual(-rows.Sum(row => (double)row.LogProbability) / rows.Sum(row => row.TokenCount),
                tuned.Training!.ValidationLosses[chainCount - 1], 1e-4);
        }
        Assert.IsEmpty(tuned.Training!.ValidationMetrics);
    }

    [TestMethod]
    public void EveryWayToTheSchemaGivesTheSame()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var rows = _mlContext.Data.LoadFromEnumerable(Tuning.Data);
        var options = Options(source, steps: 1);
        (options.PromptColumnName, options.ResponseColumnName) = ("Text", "Class");
        var estimator = _mlContext.Transforms.ChainTuning(options);
        using var tuned = estimator.Fit(rows);
        CollectionAssert.AreEqual(Shapes.Describe(Shapes.Of(tuned.Transform(rows).Schema)),
            Shapes.Describe(estimator.GetOutputSchema(Shapes.Of(rows.Schema))));
    }

    [TestMethod]
    public void RowsThatLoseTokensAreWarnedOf()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var warnings = Warnings();
        var options = Options(source, steps: 1);
        // A byte is a token, with one before and one behind each row: "the sea" and "deep" alone have more than ten.
        options.SequenceLength = 10;
        CompletionRow leftOut = new() { Prompt = "a prompt of many tokens", Response = "" };
        Tune(options, [leftOut, .. Data]).Dispose();
        Assert.HasCount(2, warnings);
        Assert.Contains("1 rows of the training data have no response", warnings.First());
        Assert.Contains("1 rows of the training data have more than 10 tokens", warnings.Last());
    }

    [TestMethod]
    public void RowsWithoutAResponseAreLeftOutWithAWarning()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var warnings = Warnings();
        CompletionRow[] empty = [new() { Prompt = "a", Response = "" }, new() { Prompt = "b" }];
        using var expected = Tune(Options(source, steps: 2));
        using var tuned = Tune(Options(source, steps: 2), [.. empty, .. Data]);
        var warning = Assert.ContainsSingle(warnings);
        Assert.Contains("2 rows", warning);
        Assert.Contains("'Response'", warning);
        Assert.IsEmpty(Tuning.Differences(TinyTraining.Values(expected.Model), tuned.Model));
        Assert.Contains("'Response'",
            Assert.Throws<ArgumentException>(() => Tune(Options(source, steps: 2), empty)).Message);
    }

    [TestMethod]
    [DataRow("Prompt")]
    [DataRow("Response")]
    public void AMissingColumnIsNamed(string column)
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var rows = _mlContext.Data.LoadFromEnumerable(Data);
        var without = _mlContext.Transforms.DropColumns(column).Fit(rows).Transform(rows);
        var estimator = _mlContext.Transforms.ChainTuning(Options(source, steps: 1));
        Assert.Contains($"'{column}'", Assert.Throws<ArgumentException>(() => estimator.Fit(without)).Message);
        Assert.Contains($"'{column}'", Assert.Throws<ArgumentException>(
            () => estimator.GetOutputSchema(Shapes.Of(without.Schema))).Message);
        using var tuned = estimator.Fit(rows);
        Assert.Contains($"'{column}'", Assert.Throws<ArgumentException>(() => tuned.Transform(without)).Message);
        Assert.Throws<NotSupportedException>(
            () => tuned.WithCascade(new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [1] }));
    }

    private ConcurrentQueue<string> Warnings()
    {
        var warnings = new ConcurrentQueue<string>();
        _mlContext.Log += (_, message) =>
        {
            if (message.Kind == ChannelMessageKind.Warning)
                warnings.Enqueue(message.RawMessage);
        };
        return warnings;
    }

    private static ChainTuningEstimator.Options Options(ElasticScoringTransformer source, int steps)
    {
        var options = Tuning.Steps(source, steps);
        (options.Task, options.BatchSize) = (TuningTask.Completion, 4);
        return options;
    }

    private ElasticScoringTransformer Tune(ChainTuningEstimator.Options options, CompletionRow[]? rows = null) =>
        _mlContext.Tune(options, _mlContext.Data.LoadFromEnumerable(rows ?? Data));

    private CompletionRow[] Score(ITransformer transformer, CompletionRow[] rows) =>
        [.. _mlContext.Data.CreateEnumerable<CompletionRow>(
            transformer.Transform(_mlContext.Data.LoadFromEnumerable(rows.Select(row => new CompletionRow
            {
                Prompt = row.Prompt,
                Response = row.Response,
            }))), reuseRowObject: false)];

    private static (double Sum, int Count) Naive(CoLMModel model, string template, CompletionRow row, int chainCount)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var given = string.Format(null, template.Split("{1}")[0], row.Prompt);
        var text = given + row.Response + template.Split("{1}")[1];
        long[] ids = [256, .. text.Select(c => (long)c), 257];
        var logs = nn.functional.log_softmax(model.forward(tensor(ids).unsqueeze(0), chainCount)[0], 1);
        double sum = 0;
        for (var t = 1 + given.Length; t < ids.Length; t++)
            sum += logs[t - 1, ids[t]].ToDouble();
        return (sum, ids.Length - 1 - given.Length);
    }
}
