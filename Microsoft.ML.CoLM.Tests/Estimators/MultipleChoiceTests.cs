using System.Collections.Concurrent;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Tokenizers;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class MultipleChoiceTests
{
    private static readonly ChoiceRow[] Rows =
    [
        new() { Context = "The cat sat on", Choices = ["a mat", "the moon.", "a mat and slept"] },
        new() { Context = "", Choices = ["yes", "no"] },
        new() { Context = "Häuser, 猫 und 🐈: \n", Choices = ["猫", "a", "b", "", "Hund"] },
        new() { Context = "one", Choices = ["alone"] },
        new() { Context = TextModels.Sentence(200), Choices = ["the end", "end"] },
        new() { Context = TextModels.Sentence(50), Choices = ["the end of it", "a", TextModels.Sentence(90)] },
        new() { Context = TextModels.Sentence(40), Choices = ["x", "y", "z", "x"] },
    ];

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow("4", false)]
    [DataRow("4,2,6", false)]
    [DataRow("4,2,6", true)]
    public void ScoresAreSumsOfLogProbabilitiesAtEveryChainCount(string layout, bool kvSharing)
    {
        using var model = TextModels.Random(TextModels.Config([.. ChainLayout.Parse(layout).Heads]) with { KvSharing = kvSharing });
        using var transformer = Scorer(model);
        for (var chainCount = 1; chainCount <= model.Config.Layout.ChainCount; chainCount++)
        {
            using var elastic = transformer.WithChainCount(chainCount);
            var scored = Score(elastic, Rows);
            for (var row = 0; row < Rows.Length; row++)
            {
                double[] expected = [.. Rows[row].Choices.Select(
                    choice => PlainChoices.Score(model, Rows[row].Context, choice, chainCount))];
                for (var choice = 0; choice < expected.Length; choice++)
                {
                    var tolerance = 2e-5 * Math.Max(1, Math.Abs(expected[choice]));
                    Assert.AreEqual(expected[choice], scored[row].Score[choice], tolerance, $"Row {row}, choice {choice}");
                }
                Assert.AreEqual(ChoiceScores.FirstGreatest(expected), scored[row].PredictedLabel, $"Row {row}");
            }
        }
    }

    [TestMethod]
    public void ContextsOfTheirOwnScoreAsRowsOfTheirOwn()
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = Scorer(model);
        string[] contexts = ["The cat sat", "The cat", "", "The cat sat "];
        string[] choices = ["down", "sat", "and", ""];
        var apart = Score(transformer, [.. contexts.Zip(choices, (context, choice) =>
            new ChoiceRow { Context = context, Choices = [choice] })]);
        var together = Assert.ContainsSingle(Read(transformer.Transform(
            _mlContext.Data.LoadFromEnumerable([new ContextsRow { Context = contexts, Choices = choices }]))));
        for (var i = 0; i < choices.Length; i++)
            Assert.AreEqual(apart[i].Score[0], together.Score[i], 1e-3);
    }

    [TestMethod]
    public void NormalizedScoresAreByCodePoints()
    {
        using var model = TextModels.Random(4);
        using var transformer = Scorer(model);
        var scored = Assert.ContainsSingle(Score(transformer,
            new ChoiceRow { Context = "It is", Choices = ["aé", "🐈🐈", "é", "  a", ""] }));
        int[] lengths = [2, 2, 1, 3];
        for (var i = 0; i < lengths.Length; i++)
            Assert.AreEqual(scored.Score[i] / lengths[i], scored.NormalizedScore[i], 1e-5);
        Assert.AreEqual(float.NegativeInfinity, scored.NormalizedScore[4]);
        Assert.IsTrue(float.IsFinite(scored.Score[4]));
        Assert.AreNotEqual(4, scored.NormalizedPredictedLabel);
    }

    [TestMethod]
    public void OfEqualChoicesTheFirstIsPredicted()
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = Scorer(model);
        foreach (var count in new[] { 2, 3, 9 })
        {
            var row = new ChoiceRow
            {
                Context = "the quick brown fox jumps",
                Choices = [.. Enumerable.Repeat("over the lazy dog", count), "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"],
            };
            var scored = Assert.ContainsSingle(Score(transformer, row));
            Assert.HasCount(1, scored.Score[..count].Distinct().ToArray());
            Assert.AreEqual(0, scored.PredictedLabel);
        }
        Assert.AreEqual(1, ChoiceScores.FirstGreatest([-2, -1, -1]));
        // Rounded to Single, the two would be equal.
        Assert.AreEqual(1, ChoiceScores.FirstGreatest([-100.0000001, -100]));
        Assert.AreEqual(0, ChoiceScores.FirstGreatest([double.NegativeInfinity, double.NegativeInfinity]));
    }

    [TestMethod]
    public void ScoresDoNotDependOnTheBatchSizeOrTheEngine()
    {
        using var model = TextModels.Random(4, 4);
        using var ordinary = Scorer(model);
        var expected = Score(ordinary, Rows);
        using var byTwo = Scorer(model, options => options.BatchSize = 2);
        AreClose(expected, Score(byTwo, Rows));
        using var engine = _mlContext.Model.CreatePredictionEngine<ChoiceRow, ScoredChoice>(
            ordinary, new PredictionEngineOptions { OwnsTransformer = false });
        AreClose(expected, [.. Rows.Select(row => engine.Predict(row))]);
    }

    [TestMethod]
    public void WhatIsLongerThanTheContextKeepsItsEndAndTheLogSaysSo()
    {
        var warnings = new ConcurrentQueue<string>();
        _mlContext.Log += (_, message) =>
        {
            if (message.Kind == ChannelMessageKind.Warning)
                warnings.Enqueue(message.RawMessage);
        };
        using var model = TextModels.Random(4, 4);
        using var transformer = Scorer(model);
        Score(transformer, Rows);
        Assert.AreEqual("2 rows of column 'Context', 'Choices' have more than 65 tokens, which is one more than the model's " +
            "context, and are cut to so many.", Assert.ContainsSingle(warnings));
    }

    [TestMethod]
    public void ATokenizerWithoutABeginningScoresWithoutOne()
    {
        using var model = TextModels.Random(TextModels.Config(4) with { BosTokenId = null });
        model.TokenizerFiles = TestTokenizers.Json(json => json["post_processor"] = null);
        using var transformer = Scorer(model);
        // Behind an empty context stands the end-of-text token; a context that spells it is the same.
        var scored = Score(transformer, new ChoiceRow { Context = "", Choices = ["yes", "no"] },
            new ChoiceRow { Context = "<|end_of_text|>", Choices = ["yes", "no"] });
        for (var i = 0; i < 2; i++)
            Assert.AreEqual(scored[1].Score[i], scored[0].Score[i], 1e-4);
    }

    [TestMethod]
    public void EveryWayToTheSchemaGivesTheSame()
    {
        using var model = TextModels.Random(4);
        var estimator = Estimator(model);
        var data = _mlContext.Data.LoadFromEnumerable(Rows);
        using var transformer = estimator.Fit(data);
        var schema = transformer.Transform(data).Schema;
        CollectionAssert.AreEqual(
            new[] { "Score: Vector<Single>", "NormalizedScore: Vector<Single>", "PredictedLabel: Int32", "NormalizedPredictedLabel: Int32" },
            schema.Skip(data.Schema.Count).Select(column => $"{column.Name}: {column.Type}").ToArray());
        CollectionAssert.AreEqual(schema.Select(column => $"{column}").ToArray(),
            transformer.GetOutputSchema(data.Schema).Select(column => $"{column}").ToArray());
        CollectionAssert.AreEqual(
            Shapes.Describe(Shapes.Of(schema)), Shapes.Describe(estimator.GetOutputSchema(Shapes.Of(data.Schema))));
    }

    [TestMethod]
    public void ColumnsMayHaveOtherNames()
    {
        using var model = TextModels.Random(4, 4);
        using var ordinary = Scorer(model);
        var data = _mlContext.Data.LoadFromEnumerable(Rows);
        var renamed = _mlContext.Transforms.CopyColumns("C", "Context").Append(_mlContext.Transforms.CopyColumns("A", "Choices"))
            .Append(_mlContext.Transforms.DropColumns("Context", "Choices")).Fit(data).Transform(data);
        using var transformer = Estimator(model, Rename).Fit(renamed);
        var scored = transformer.Transform(renamed);
        CollectionAssert.AreEqual(new[] { "S", "N", "P", "Q" }, scored.Schema.TakeLast(4).Select(column => column.Name).ToArray());
        CollectionAssert.AreEqual(Score(ordinary, Rows).Select(row => row.PredictedLabel).ToArray(), scored.GetColumn<int>("P").ToArray());

        using var folder = new TemporaryFolder();
        _mlContext.Model.Save(transformer, renamed.Schema, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)new MLContext().Model.Load(folder["model.zip"], out _);
        Assert.AreEqual(transformer.Settings, loaded.Settings);
        CollectionAssert.AreEqual(scored.GetColumn<int>("Q").ToArray(), loaded.Transform(renamed).GetColumn<int>("Q").ToArray());
    }

    [TestMethod]
    public void AZipKeepsTheTask()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 2);
        using var transformer = Scorer(model, options => (options.ChainCount, options.BatchSize) = (1, 3));
        var data = _mlContext.Data.LoadFromEnumerable(Rows);
        _mlContext.CoLM().Save(transformer, data.Schema, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)_mlContext.CoLM().Load(folder["model.zip"], out _);
        Assert.AreEqual(transformer.Settings, loaded.Settings);
        Assert.AreEqual(1, loaded.ChainCount);
        var (expected, actual) = (Score(transformer, Rows), Score(loaded, Rows));
        for (var i = 0; i < Rows.Length; i++)
            CollectionAssert.AreEqual(expected[i].Score, actual[i].Score);

        // As another one's source, it gives its task and its columns.
        using var two = _mlContext.Transforms.ElasticScoring(
            new ElasticScoringEstimator.Options { Transformer = loaded, ChainCount = 2 }).Fit(data);
        using var all = transformer.WithChainCount(2);
        AreClose(Score(all, Rows), Score(two, Rows));
    }

    [TestMethod]
    public void AMissingColumnIsNamedWithThoseThatAreThere()
    {
        using var model = TextModels.Random(4);
        using var transformer = Scorer(model);
        foreach (var missing in new[] { "Context", "Choices" })
        {
            var data = _mlContext.Data.LoadFromEnumerable(Rows);
            data = _mlContext.Transforms.DropColumns(missing).Fit(data).Transform(data);
            foreach (var message in Refusals(model, transformer, data))
            {
                Assert.Contains($"'{missing}'", message);
                Assert.Contains("'Label'", message);
            }
        }
    }

    [TestMethod]
    [DataRow("Context", "Label", "Text or a vector of Text", "Int32")]
    [DataRow("Context", "Numbers", "Text or a vector of Text", "Single")]
    [DataRow("Choices", "Text", "vector of Text", "String")]
    [DataRow("Choices", "Numbers", "vector of Text", "Single")]
    public void AColumnOfAnotherTypeIsNamedWithIt(string column, string from, string expected, string found)
    {
        using var model = TextModels.Random(4);
        using var transformer = Scorer(model);
        var data = _mlContext.Data.LoadFromEnumerable(Rows);
        data = _mlContext.Transforms.CopyColumns("Text", "Context").Append(_mlContext.Transforms.Conversion.ConvertType("Number", "Label"))
            .Append(_mlContext.Transforms.Concatenate("Numbers", "Number", "Number")).Fit(data).Transform(data);
        data = _mlContext.Transforms.CopyColumns(column, from).Fit(data).Transform(data);
        foreach (var message in Refusals(model, transformer, data))
        {
            Assert.Contains($"'{column}'", message);
            Assert.Contains(expected, message);
            Assert.Contains(found, message);
        }
    }

    [TestMethod]
    public void ARowWithoutChoicesOrWithOtherNumbersOfContextsIsNamed()
    {
        using var model = TextModels.Random(4);
        using var transformer = Scorer(model, options => options.BatchSize = 2);
        var none = Assert.Throws<ArgumentException>(() => Score(
            transformer, Rows[0], Rows[1], Rows[2], new ChoiceRow { Context = "a" })).Message;
        Assert.Contains("Row 3", none);
        Assert.Contains("'Choices'", none);

        foreach (var contexts in (string[][])[[], ["a"], ["a", "b", "c"]])
        {
            var message = Assert.Throws<ArgumentException>(() => Read(transformer.Transform(_mlContext.Data.LoadFromEnumerable([
                new ContextsRow { Context = ["a", "b"], Choices = ["c", "d"] },
                new ContextsRow { Context = contexts, Choices = ["c", "d"] }])))).Message;
            Assert.Contains("Row 1", message);
            Assert.Contains("'Context'", message);
            Assert.Contains($"'Choices', 2, found {contexts.Length}", message);
        }
    }

    [TestMethod]
    public void MissingTextsAreEmpty()
    {
        using var model = TextModels.Random(4);
        using var transformer = Scorer(model);
        var missing = Score(transformer, new ChoiceRow { Context = null, Choices = [null, "a"] });
        var empty = Score(transformer, new ChoiceRow { Context = "", Choices = ["", "a"] });
        CollectionAssert.AreEqual(empty[0].Score, missing[0].Score);
    }

    [TestMethod]
    public void SettingsThatDoNotFitAreRefused()
    {
        using var model = TextModels.Random(4, 4);
        foreach (var (change, named) in ((Action<ElasticScoringEstimator.Options>, string)[])[
            (options => options.ChoicesColumnName = "", nameof(ElasticScoringEstimator.Options.ChoicesColumnName)),
            (options => options.ContextColumnName = "Choices", "Choices, Choices"),
            (options => options.NormalizedScoreColumnName = "Score", "Score, Score"),
            (options => options.Cascade = new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [0.5] }, "Cascade"),
            (options => options.Window = 16, "Window must be left out with MultipleChoice, which reads the end"),
            (options => options.Stride = 16, "Stride must be left out with MultipleChoice")])
        {
            var error = Assert.Throws<ArgumentException>(
                () => Estimator(model, change).Fit(_mlContext.Data.LoadFromEnumerable(Rows)).Dispose());
            Assert.Contains(named, error.Message);
        }
        using var transformer = Scorer(model);
        Assert.Contains("MultipleChoice", Assert.ThrowsExactly<NotSupportedException>(() => transformer.WithCascade(
            new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [0.5] })).Message);
        // The columns of other tasks may have any name.
        Estimator(model, options => options.TextColumnName = "Score");
    }

    [TestMethod]
    public void AScoreThatIsNoNumberIsRefused()
    {
        using var model = TextModels.Random(4);
        using var transformer = Scorer(model);
        using (no_grad())
            model.Norm.Weight(0).fill_(float.MaxValue);
        Assert.Contains("row 0", Assert.ThrowsExactly<InvalidOperationException>(() => Score(transformer, Rows)).Message);
    }

    private static void Rename(ElasticScoringEstimator.Options options)
    {
        (options.ContextColumnName, options.ChoicesColumnName) = ("C", "A");
        (options.ScoreColumnName, options.NormalizedScoreColumnName) = ("S", "N");
        (options.PredictedLabelColumnName, options.NormalizedPredictedLabelColumnName) = ("P", "Q");
    }

    private static IEnumerable<string> Refusals(CoLMModel model, ElasticScoringTransformer transformer, IDataView data)
    {
        var estimator = Estimator(model);
        return new Action[]
        {
            () => estimator.Fit(data), () => estimator.GetOutputSchema(Shapes.Of(data.Schema)),
            () => transformer.Transform(data), () => transformer.GetOutputSchema(data.Schema),
        }.Select(use => Assert.Throws<ArgumentException>(use).Message);
    }

    private static ElasticScoringEstimator Estimator(CoLMModel model, Action<ElasticScoringEstimator.Options>? change = null)
    {
        var options = new ElasticScoringEstimator.Options { Model = model, Task = ScoringTask.MultipleChoice };
        change?.Invoke(options);
        return new MLContext(seed: 1).Transforms.ElasticScoring(options);
    }

    private ElasticScoringTransformer Scorer(CoLMModel model, Action<ElasticScoringEstimator.Options>? change = null)
    {
        var options = new ElasticScoringEstimator.Options { Model = model, Task = ScoringTask.MultipleChoice };
        change?.Invoke(options);
        return _mlContext.Transforms.ElasticScoring(options).Fit(_mlContext.Data.LoadFromEnumerable(Rows));
    }

    private ScoredChoice[] Score(ITransformer transformer, params ChoiceRow[] rows) =>
        Read(transformer.Transform(_mlContext.Data.LoadFromEnumerable(rows)));

    private ScoredChoice[] Read(IDataView scored) =>
        [.. _mlContext.Data.CreateEnumerable<ScoredChoice>(scored, reuseRowObject: false)];

    private static void AreClose(ScoredChoice[] expected, ScoredChoice[] actual)
    {
        Assert.HasCount(expected.Length, actual);
        for (var row = 0; row < expected.Length; row++)
        {
            Assert.HasCount(expected[row].Score.Length, actual[row].Score);
            for (var i = 0; i < expected[row].Score.Length; i++)
                Assert.AreEqual(expected[row].Score[i], actual[row].Score[i], 2e-5 * Math.Max(1, Math.Abs(expected[row].Score[i])));
            Assert.AreEqual(expected[row].PredictedLabel, actual[row].PredictedLabel);
            Assert.AreEqual(expected[row].NormalizedPredictedLabel, actual[row].NormalizedPredictedLabel);
        }
    }
}
