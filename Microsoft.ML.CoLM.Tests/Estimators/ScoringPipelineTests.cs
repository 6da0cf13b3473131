using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class ScoringPipelineTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    public static IEnumerable<object[]> Sources { get; } =
    [
        ["all rows"], ["filtered"], ["filtered twice"], ["skipped"], ["taken"], ["cached"], ["shuffled"],
        ["bootstrapped"], ["tokenized"],
    ];

    [TestMethod]
    [DynamicData(nameof(Sources))]
    public void RowsGetTheirOwnScoresWhateverComesBefore(string name)
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model, batchSize: 3);
        var source = Source(name, _mlContext.Rows([.. TextModels.Texts, .. TextModels.Texts[..9]]));
        AreOwn(model, source.GetColumn<string>("Text").ToArray(), _mlContext.Scores(transformer.Transform(source)));
    }

    [TestMethod]
    [DynamicData(nameof(Sources))]
    public void RowsKeepTheirScoresWhateverComesAfter(string name)
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model, batchSize: 3);
        var scored = Source(name, transformer.Transform(_mlContext.Rows([.. TextModels.Texts, .. TextModels.Texts])));
        var scores = _mlContext.Scores(scored);
        Assert.IsNotEmpty(scores);
        AreOwn(model, [.. scores.Select(score => score.Text)], scores);
    }

    [TestMethod]
    public void AFilterBehindReadsTheScores()
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model, batchSize: 3);
        var scored = transformer.Transform(_mlContext.Rows(TextModels.Texts));
        var withScore = _mlContext.Scores(_mlContext.Data.FilterRowsByMissingValues(scored, "Perplexity"));
        CollectionAssert.AreEqual(
            TextModels.Texts.Where(text => !string.IsNullOrEmpty(text)).ToArray(),
            withScore.Select(score => score.Text).ToArray());

        var shorts = _mlContext.Scores(
            _mlContext.Data.FilterRowsByColumn(scored, "LogProbability", lowerBound: -100, upperBound: 0));
        CollectionAssert.AreEqual(
            _mlContext.Scores(scored).Where(score => score.LogProbability is >= -100 and < 0).ToArray(), shorts);
    }

    [TestMethod]
    public void TransformsMayStandBeforeAndBehind()
    {
        using var model = TextModels.Random(4);
        var rows = _mlContext.Data.LoadFromEnumerable(
            TextModels.Texts.Select(text => new Document { Story = text }).ToArray());
        var pipeline = _mlContext.Transforms.CopyColumns("Text", "Story")
            .Append(_mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = model }))
            .Append(_mlContext.Transforms.CopyColumns("Copied", "LogProbability"))
            .Append(_mlContext.Transforms.Text.FeaturizeText("Features", "Text"))
            .Append(_mlContext.Transforms.Concatenate("Both", "LogProbability", "Perplexity"))
            .Append(_mlContext.Transforms.Conversion.ConvertType("Tokens", "TokenCount", DataKind.Single))
            .Append(_mlContext.Transforms.NormalizeMinMax("Normal", "Tokens"));
        using var fitted = pipeline.Fit(rows);
        var scored = fitted.Transform(rows);
        var scores = _mlContext.Scores(scored);
        AreOwn(model, TextModels.Texts, scores);
        CollectionAssert.AreEqual(
            scores.Select(score => score.LogProbability).ToArray(), scored.GetColumn<float>("Copied").ToArray());
        CollectionAssert.AreEqual(
            scores.SelectMany(score => (float[])[score.LogProbability, score.Perplexity]).ToArray(),
            scored.GetColumn<float[]>("Both").SelectMany(both => both).ToArray());
        Assert.AreEqual(1, scored.GetColumn<float>("Normal").Max());
        Assert.IsTrue(scored.GetColumn<float[]>("Features").All(features => features.Length > 10));
    }

    [TestMethod]
    public void TextsOfAFileAreScored()
    {
        using var model = TextModels.Random(4);
        using var folder = new TemporaryFolder();
        string[] texts = [.. Enumerable.Range(0, 500).Select(i => TextModels.Sentence(1 + i % 30) + i)];
        File.WriteAllLines(folder["texts.tsv"], texts);
        var data = _mlContext.Data.LoadFromTextFile(folder["texts.tsv"], [new("Text", DataKind.String, 0)]);
        using var transformer = _mlContext.Scorer(model);
        AreOwn(model, texts, _mlContext.Scores(transformer.Transform(data)));
    }

    [TestMethod]
    public void AShuffledOrASplitCursorKeepsTheOrder()
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model, batchSize: 3);
        var source = _mlContext.Data.Cache(_mlContext.Rows(TextModels.Texts));
        Assert.IsTrue(source.CanShuffle);
        var scored = transformer.Transform(source);
        Assert.IsFalse(scored.CanShuffle);
        using var shuffled = scored.GetRowCursor(scored.Schema, new Random(5));
        AreOwn(model, TextModels.Texts, [.. Read(shuffled)]);
        ScoredRow[] split = [.. scored.GetRowCursorSet(scored.Schema, 4, new Random(5)).SelectMany(Read)];
        AreOwn(model, TextModels.Texts, split);
    }

    [TestMethod]
    public void CursorsMayTakeTurns()
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model, batchSize: 3);
        var scored = transformer.Transform(_mlContext.Rows(TextModels.Texts));
        var expected = _mlContext.Scores(scored);
        using var ahead = scored.GetRowCursor(scored.Schema);
        using var behind = scored.GetRowCursor(scored.Schema);
        var (readAhead, readBehind) = (Reader(ahead), Reader(behind));
        Assert.IsTrue(ahead.MoveNext());
        for (var row = 0; behind.MoveNext(); row++)
        {
            Assert.AreEqual(row < expected.Length - 1, ahead.MoveNext());
            if (row < expected.Length - 1)
                Assert.AreEqual(expected[row + 1], readAhead());
            Assert.AreEqual(expected[row], readBehind());
        }
    }

    [TestMethod]
    public void SeveralThreadsGetWhatOneGets()
    {
        using var model = TextModels.Random(4, 4);
        using var one = _mlContext.Scorer(model, chainCount: 1, batchSize: 3);
        using var two = _mlContext.Scorer(model, chainCount: 2, batchSize: 3);
        var rows = _mlContext.Rows([.. TextModels.Texts, .. TextModels.Texts]);
        IDataView[] views = [one.Transform(rows), two.Transform(rows)];
        var expected = Array.ConvertAll(views, _mlContext.Scores);
        var found = new ScoredRow[8][];
        Exception? failure = null;
        var threads = Enumerable.Range(0, found.Length).Select(i => new Thread(() =>
        {
            try
            {
                found[i] = _mlContext.Scores(views[i % 2]);
            }
            catch (Exception e)
            {
                failure = e;
            }
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.IsNull(failure);
        for (var i = 0; i < found.Length; i++)
            Scoring.AreClose(expected[i % 2], found[i]);
    }

    [TestMethod]
    public void APredictionEngineGivesWhatTransformGives()
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = _mlContext.Scorer(model, batchSize: 1);
        var expected = transformer.Score(_mlContext, TextModels.Texts);
        using var engine = _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(transformer);
        foreach (var score in expected)
        {
            var found = engine.Predict(new TextRow { Text = score.Text });
            Assert.AreEqual(score, found);
            Assert.AreEqual(score, engine.Predict(new TextRow { Text = score.Text }));
        }
        ScoredRow? reused = new();
        engine.Predict(new TextRow { Text = null }, ref reused);
        Assert.AreEqual(0, reused.TokenCount);
        Assert.AreEqual(float.NaN, reused.Perplexity);
    }

    [TestMethod]
    public void APredictionEngineGivesWhatTransformGivesInAPipeline()
    {
        using var model = TextModels.Random(4);
        var rows = _mlContext.Data.LoadFromEnumerable(
            TextModels.Texts.Select(text => new Document { Story = text }).ToArray());
        var pipeline = _mlContext.Transforms.Text.NormalizeText("Text", "Story", keepPunctuations: false)
            .Append(_mlContext.Transforms.ElasticScoring(
                new ElasticScoringEstimator.Options { Model = model, BatchSize = 1 }))
            .Append(_mlContext.Transforms.CopyColumns("Copied", "LogProbability"));
        using var fitted = pipeline.Fit(rows);
        var expected = _mlContext.Scores(fitted.Transform(rows));
        using var engine = _mlContext.Model.CreatePredictionEngine<Document, ScoredRow>(fitted);
        for (var i = 0; i < expected.Length; i++)
            Assert.AreEqual(expected[i], engine.Predict(new Document { Story = TextModels.Texts[i] }));
    }

    [TestMethod]
    public void APredictionEngineRunsNothingForColumnsThatAreNotRead()
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model);
        using var engine = _mlContext.Model.CreatePredictionEngine<TextRow, TextRow>(transformer);
        using var scoring = _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(transformer);
        model.Dispose();
        Assert.AreEqual("a text", engine.Predict(new TextRow { Text = "a text" }).Text);
        Assert.ThrowsExactly<ObjectDisposedException>(() => scoring.Predict(new TextRow { Text = "a text" }));
    }

    private IDataView Source(string name, IDataView rows) => name switch
    {
        "filtered" => _mlContext.Data.FilterRowsByColumn(rows, "Number", lowerBound: 5, upperBound: 12),
        "filtered twice" => _mlContext.Data.FilterRowsByColumn(
            _mlContext.Data.FilterByCustomPredicate<TextRow>(rows, row => row.Number % 2 == 0), "Number", 3, 13),
        "skipped" => _mlContext.Data.SkipRows(rows, 4),
        "taken" => _mlContext.Data.TakeRows(rows, 7),
        "cached" => _mlContext.Data.Cache(rows, "Text", "Number"),
        "shuffled" => _mlContext.Data.ShuffleRows(rows, seed: 3, shufflePoolSize: 5),
        "bootstrapped" => _mlContext.Data.BootstrapSample(rows, seed: 3),
        "tokenized" => _mlContext.Transforms.Text.TokenizeIntoWords("Words", "Text").Fit(rows).Transform(rows),
        _ => rows,
    };

    /// <summary>Every row has the scores that its text has by itself.</summary>
    private static void AreOwn(CoLMModel model, string?[] texts, ScoredRow[] scores)
    {
        CollectionAssert.AreEqual(
            texts.Select(text => text ?? "").ToArray(), scores.Select(score => score.Text ?? "").ToArray());
        var mlContext = new MLContext();
        using var transformer = mlContext.Scorer(model);
        var distinct = texts.Distinct().ToArray();
        var own = transformer.Score(mlContext, distinct).DistinctBy(score => score.Text ?? "")
            .ToDictionary(score => score.Text ?? "");
        Scoring.AreClose(Array.ConvertAll(texts, text => own[text ?? ""]), scores);
    }

    private static IEnumerable<ScoredRow> Read(DataViewRowCursor cursor)
    {
        var read = Reader(cursor);
        while (cursor.MoveNext())
            yield return read();
    }

    private static Func<ScoredRow> Reader(DataViewRowCursor cursor)
    {
        var schema = cursor.Schema;
        var readText = cursor.GetGetter<ReadOnlyMemory<char>>(schema["Text"]);
        var readLog = cursor.GetGetter<float>(schema["LogProbability"]);
        var readCount = cursor.GetGetter<int>(schema["TokenCount"]);
        var readPerplexity = cursor.GetGetter<float>(schema["Perplexity"]);
        return () =>
        {
            ReadOnlyMemory<char> text = default;
            var (log, count, perplexity) = (0f, 0, 0f);
            readText(ref text);
            readLog(ref log);
            readCount(ref count);
            readPerplexity(ref perplexity);
            return new() { Text = text.ToString(), LogProbability = log, TokenCount = count, Perplexity = perplexity };
        };
    }

    private sealed class Document
    {
        public string? Story { get; set; }
    }
}
