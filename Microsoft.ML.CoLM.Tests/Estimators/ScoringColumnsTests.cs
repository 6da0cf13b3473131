using System.Text;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class ScoringColumnsTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void OtherColumnsPassThroughWithTheirAnnotations()
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model, batchSize: 3);
        var source = Colourful();
        var scored = transformer.Transform(source);
        foreach (var column in source.Schema)
        {
            var passed = scored.Schema[column.Index];
            Assert.AreEqual(column.Name, passed.Name);
            Assert.AreEqual(column.Type, passed.Type, column.Name);
            CollectionAssert.AreEqual(
                column.Annotations.Schema.Select(annotation => $"{annotation.Name}: {annotation.Type}").ToArray(),
                passed.Annotations.Schema.Select(annotation => $"{annotation.Name}: {annotation.Type}").ToArray());
        }
        Assert.IsTrue(scored.Schema["Key"].Type is KeyDataViewType);
        Assert.AreEqual(3, scored.Schema["Features"].Type is VectorDataViewType vector ? vector.Size : 0);
        VBuffer<ReadOnlyMemory<char>> keys = default;
        scored.Schema["Key"].GetKeyValues(ref keys);
        CollectionAssert.AreEqual(
            new[] { "red", "green", "blue" }, keys.DenseValues().Select(key => key.ToString()).ToArray());

        string[] names = [.. source.Schema.Where(column => !column.IsHidden).Select(column => column.Name)];
        Assert.AreEqual(AsText(source, names), AsText(scored, names));
        Assert.AreEqual(AsText(source, names), AsText(_mlContext.Data.Cache(scored), names));
    }

    [TestMethod]
    public void NothingRunsWhenNoScoreIsAskedFor()
    {
        using var model = TextModels.Random(4);
        var source = _mlContext.Rows(TextModels.Texts);
        var scored = Scored(model, source);
        model.Dispose();
        CollectionAssert.AreEqual(
            source.GetColumn<string>("Text").ToArray(), scored.GetColumn<string>("Text").ToArray());
        CollectionAssert.AreEqual(
            source.GetColumn<float>("Number").ToArray(), scored.GetColumn<float>("Number").ToArray());
        using var counting = scored.GetRowCursor([]);
        var rows = 0;
        while (counting.MoveNext())
            rows++;
        Assert.AreEqual(TextModels.Texts.Length, rows);
        foreach (var name in (string[])["LogProbability", "Perplexity"])
            Assert.ThrowsExactly<ObjectDisposedException>(() => scored.GetColumn<float>(name).ToArray());
    }

    [TestMethod]
    public void ABatchIsScoredOnlyWhenOneOfItsScoresIsRead()
    {
        using var model = TextModels.Random(4);
        var scored = Scored(model, _mlContext.Rows(TextModels.Texts));
        using var cursor = scored.GetRowCursor(scored.Schema);
        var read = cursor.GetGetter<float>(scored.Schema["LogProbability"]);
        Assert.IsTrue(cursor.MoveNext());
        model.Dispose();
        float value = 0;
        Assert.ThrowsExactly<ObjectDisposedException>(() => read(ref value));
        while (cursor.MoveNext())
        {
        }
    }

    [TestMethod]
    public void RowsMayBeSkippedAndReadTwice()
    {
        using var model = TextModels.Random(4, 4);
        var source = _mlContext.Rows(TextModels.Texts);
        var scored = Scored(model, source, batchSize: 4);
        var expected = _mlContext.Scores(scored);
        using var cursor = scored.GetRowCursor(scored.Schema);
        var readLog = cursor.GetGetter<float>(scored.Schema["LogProbability"]);
        var readCount = cursor.GetGetter<int>(scored.Schema["TokenCount"]);
        for (var row = 0; cursor.MoveNext(); row++)
        {
            // Batches of which nothing is read lie between those of which something is.
            if (row is not (2 or 3 or 13 or 15))
                continue;
            float log = 0;
            var count = 0;
            readCount(ref count);
            readLog(ref log);
            readLog(ref log);
            Assert.AreEqual(expected[row].LogProbability, log);
            Assert.AreEqual(expected[row].TokenCount, count);
        }
    }

    [TestMethod]
    public void AColumnThatWasNotAskedForHasNoGetter()
    {
        using var model = TextModels.Random(4);
        var scored = Scored(model, _mlContext.Rows("text"));
        using var cursor = scored.GetRowCursor([scored.Schema["LogProbability"]]);
        Assert.IsTrue(cursor.IsColumnActive(scored.Schema["LogProbability"]));
        foreach (var name in (string[])["TokenCount", "Perplexity", "Text", "Number"])
            Assert.IsFalse(cursor.IsColumnActive(scored.Schema[name]), name);
        var error = Assert.Throws<ArgumentException>(() => cursor.GetGetter<int>(scored.Schema["TokenCount"]));
        Assert.Contains("TokenCount", error.Message);
    }

    [TestMethod]
    public void AGetterOfAnotherTypeIsRefusedByName()
    {
        using var model = TextModels.Random(4);
        var scored = Scored(model, _mlContext.Rows("text"));
        using var cursor = scored.GetRowCursor(scored.Schema);
        var error = Assert.Throws<ArgumentException>(() => cursor.GetGetter<double>(scored.Schema["Perplexity"]));
        Assert.Contains("Perplexity", error.Message);
    }

    [TestMethod]
    public void EveryWayToTheSchemaGivesTheSame()
    {
        const string Annotations = ", ScoreColumnKind String, ScoreValueKind String, ChainCount Int32";
        using var model = TextModels.Random(4);
        var estimator = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = model });
        var source = Colourful();
        using var transformer = estimator.Fit(source);
        var schema = transformer.Transform(source).Schema;
        CollectionAssert.AreEqual(Describe(schema), Describe(transformer.GetOutputSchema(source.Schema)));
        CollectionAssert.AreEqual(
            Shapes.Describe(Shapes.Of(schema)),
            Shapes.Describe(estimator.GetOutputSchema(Shapes.Of(source.Schema))));
        CollectionAssert.AreEqual(
            new[] { $"LogProbability: Single{Annotations}", $"TokenCount: Int32{Annotations}", $"Perplexity: Single{Annotations}" },
            Describe(schema)[source.Schema.Count..]);
    }

    [TestMethod]
    public void TheExpandingEstimatorKnowsItsOutputWithoutTraining()
    {
        using var model = TextModels.Random(4);
        var options = new ChainExpansionEstimator.Options
        {
            Model = model,
            AddedChains = [4],
            SequenceLength = 16,
            MaxSteps = 0,
        };
        var source = Colourful();
        var estimator = _mlContext.Transforms.ChainExpansion(options);
        using var transformer = estimator.Fit(source);
        CollectionAssert.AreEqual(
            Shapes.Describe(Shapes.Of(transformer.Transform(source).Schema)),
            Shapes.Describe(estimator.GetOutputSchema(Shapes.Of(source.Schema))));
    }

    [TestMethod]
    public void AnExistingColumnOfTheSameNameIsHidden()
    {
        using var model = TextModels.Random(4);
        var rows = _mlContext.Rows(TextModels.Texts);
        var source = _mlContext.Transforms.CopyColumns("Perplexity", "Number").Fit(rows).Transform(rows);
        var estimator = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = model });
        using var transformer = estimator.Fit(source);
        var scored = transformer.Transform(source);
        var hidden = scored.Schema[source.Schema["Perplexity"].Index];
        Assert.IsTrue(hidden.IsHidden);
        Assert.AreNotEqual(hidden.Index, scored.Schema["Perplexity"].Index);
        CollectionAssert.AreEqual(
            source.GetColumn<float>("Number").ToArray(), scored.GetColumn<float>(hidden).ToArray());
        CollectionAssert.AreEqual(
            transformer.Score(_mlContext, TextModels.Texts).Select(score => score.Perplexity).ToArray(),
            scored.GetColumn<float>("Perplexity").ToArray());
        CollectionAssert.AreEqual(
            Shapes.Describe(Shapes.Of(scored.Schema)),
            Shapes.Describe(estimator.GetOutputSchema(Shapes.Of(source.Schema))));
    }

    [TestMethod]
    public void ScoringTwiceHidesTheFirstScores()
    {
        using var model = TextModels.Random(4, 4);
        using var one = _mlContext.Scorer(model, chainCount: 1);
        using var two = _mlContext.Scorer(model, chainCount: 2);
        var rows = _mlContext.Rows(TextModels.Texts);
        CollectionAssert.AreEqual(
            two.Score(_mlContext, TextModels.Texts), _mlContext.Scores(two.Transform(one.Transform(rows))));
        CollectionAssert.AreEqual(
            one.Score(_mlContext, TextModels.Texts), _mlContext.Scores(one.Transform(two.Transform(rows))));
    }

    [TestMethod]
    public void TheRowCountIsTheSources()
    {
        using var model = TextModels.Random(4);
        var source = _mlContext.Data.Cache(_mlContext.Rows(TextModels.Texts));
        Assert.HasCount(TextModels.Texts.Length, source.GetColumn<float>("Number").ToArray());
        Assert.AreEqual(source.GetRowCount(), Scored(model, source).GetRowCount());
    }

    private IDataView Scored(CoLMModel model, IDataView source, int batchSize = 64)
    {
        // Not disposed: the view goes on using it, and the model is its caller's.
        var transformer = _mlContext.Scorer(model, batchSize: batchSize);
        return transformer.Transform(source);
    }

    /// <summary>Columns of many types: keys, vectors of both kinds, times, numbers, a hidden one.</summary>
    private IDataView Colourful()
    {
        ColourfulRow[] rows = [.. TextModels.Texts.Select((text, i) => new ColourfulRow
        {
            Text = text,
            Colour = i % 4 == 3 ? "blue" : i % 2 == 0 ? "red" : "green",
            Features = [i, i % 2 == 0 ? 0 : float.NaN, -i],
            Small = (byte)i,
            Large = ulong.MaxValue - (ulong)i,
            Real = i / 3.0,
            Yes = i % 3 == 0,
            When = new DateTime(2020, 1, 1).AddHours(i),
            Long = TimeSpan.FromSeconds(i),
        })];
        var data = _mlContext.Data.LoadFromEnumerable(rows);
        return _mlContext.Transforms.Conversion.MapValueToKey("Key", "Colour")
            .Append(_mlContext.Transforms.Text.TokenizeIntoWords("Words", "Colour"))
            .Append(_mlContext.Transforms.Text.TokenizeIntoCharactersAsKeys("Characters", "Colour"))
            .Append(_mlContext.Transforms.CopyColumns("Real", "Real"))
            .Fit(data).Transform(data);
    }

    private string AsText(IDataView data, string[] names)
    {
        var selected = _mlContext.Transforms.SelectColumns(names).Fit(data).Transform(data);
        using var stream = new MemoryStream();
        _mlContext.Data.SaveAsText(selected, stream);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static string[] Describe(DataViewSchema schema) => [.. schema.Select(column =>
        $"{column.Name}: {column.Type}{(column.IsHidden ? ", hidden" : "")}" +
        string.Concat(column.Annotations.Schema.Select(annotation => $", {annotation.Name} {annotation.Type}")))];

    private sealed class ColourfulRow
    {
        public string? Text { get; set; }

        public string Colour { get; set; } = "";

        [VectorType(3)]
        public float[] Features { get; set; } = [];

        public byte Small { get; set; }

        public ulong Large { get; set; }

        public double Real { get; set; }

        public bool Yes { get; set; }

        public DateTime When { get; set; }

        public TimeSpan Long { get; set; }
    }
}
