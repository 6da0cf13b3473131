using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class FeatureScoringTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void FeaturesThatAreCopiedInPartsGiveTheSameVectorsToTheBit()
    {
        using var model = TextModels.Random(4, 2);
        int[][] sequences = [[], [1], [.. Enumerable.Range(3, 90)], [7, 8, 9]];
        foreach (var pooling in Enum.GetValues<FeaturePooling>())
        {
            var whole = SequencePooling.Pool(model, sequences, chainCount: 2, pooling);
            foreach (var numbers in (int[])[1, 100])
            {
                var inParts = SequencePooling.Pool(model, sequences, chainCount: 2, pooling, numbersAtOnce: numbers);
                for (var i = 0; i < whole.Length; i++)
                    CollectionAssert.AreEqual(whole[i], inParts[i]);
            }
        }
    }

    [TestMethod]
    [DataRow(FeaturePooling.Mean, true, ScalarType.Float32)]
    [DataRow(FeaturePooling.Mean, false, ScalarType.Float32)]
    [DataRow(FeaturePooling.LastToken, true, ScalarType.Float32)]
    [DataRow(FeaturePooling.LastToken, false, ScalarType.Float32)]
    [DataRow(FeaturePooling.Mean, true, ScalarType.BFloat16)]
    public void TheVectorOfFewChainsIsTheBeginningOfThatOfMoreToTheBit(
        FeaturePooling pooling, bool kvSharing, ScalarType dtype)
    {
        using var model = TextModels.Random(TextModels.Config(4, 2, 6) with { KvSharing = kvSharing }, dtype: dtype);
        using var all = Featurizer(model, pooling);
        var whole = Vectors(all);
        foreach (var (chainCount, width) in ((int, int)[])[(1, 16), (2, 24), (3, 48)])
        {
            using var some = all.WithChainCount(chainCount);
            var vectors = Vectors(some);
            for (var i = 0; i < vectors.Length; i++)
            {
                Assert.HasCount(width, vectors[i]);
                CollectionAssert.AreEqual(whole[i][..width], vectors[i], TextModels.Texts[i]);
            }
        }
    }

    [TestMethod]
    [DataRow(64)]
    [DataRow(63)]
    [DataRow(7)]
    [DataRow(2)]
    [DataRow(1)]
    public void AMeanIsOverTheTokensOfTheirFirstWindows(int contextLength)
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { ContextLength = contextLength });
        using var transformer = Featurizer(model, FeaturePooling.Mean);
        AreClose(TextModels.Texts.Select(text => Mean(PlainFeatures(model, text))), Vectors(transformer));
    }

    [TestMethod]
    [DataRow(64)]
    [DataRow(7)]
    [DataRow(1)]
    public void TheLastTokenIsTheLastWindows(int contextLength)
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { ContextLength = contextLength });
        using var transformer = Featurizer(model, FeaturePooling.LastToken);
        AreClose(TextModels.Texts.Select(text => PlainFeatures(model, text).LastOrDefault() ?? new float[32]),
            Vectors(transformer));
    }

    [TestMethod]
    [DataRow(FeaturePooling.Mean, 16, null)]
    [DataRow(FeaturePooling.Mean, 16, 15)]
    [DataRow(FeaturePooling.Mean, 17, 3)]
    [DataRow(FeaturePooling.LastToken, 16, 5)]
    public void WindowsOfALengthAdvanceByAStride(FeaturePooling pooling, int window, int? stride)
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = Featurizer(
            model, pooling, options => (options.Window, options.Stride) = (window, stride));
        AreClose(TextModels.Texts.Select(text => PlainFeatures(model, text, window, stride)).Select(rows =>
            pooling == FeaturePooling.Mean ? Mean(rows) : rows.LastOrDefault() ?? new float[32]), Vectors(transformer));
    }

    [TestMethod]
    [DataRow(FeaturePooling.Mean, ScalarType.Float32)]
    [DataRow(FeaturePooling.LastToken, ScalarType.BFloat16)]
    public void ALongTextReadInBlocksHasItsVectorAndThatOfFewChainsIsItsBeginningToTheBit(
        FeaturePooling pooling, ScalarType dtype)
    {
        using var model = TextModels.Random(TextModels.Config(4, 2, 6) with { KvSharing = true }, dtype: dtype);
        using var whole = _mlContext.Transforms.ElasticScoring(
            Options(model, pooling, options => options.BatchSize = 1)).Fit(_mlContext.Rows("text"));
        var expected = Vectors(whole);
        model.BlockLength = 7;
        var actual = Vectors(whole);
        using var one = whole.WithChainCount(1);
        var few = Vectors(one);
        for (var i = 0; i < expected.Length; i++)
        {
            CollectionAssert.AreEqual(actual[i][..16], few[i], TextModels.Texts[i]);
            for (var column = 0; column < expected[i].Length; column++)
                Assert.AreEqual(expected[i][column], actual[i][column], dtype == float32 ? 1e-5 : 0.1);
        }
    }

    [TestMethod]
    [DataRow(FeaturePooling.Mean)]
    [DataRow(FeaturePooling.LastToken)]
    public void NullAndEmptyTextsAreZeros(FeaturePooling pooling)
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = Featurizer(model, pooling);
        foreach (var texts in (string?[][])[[null], [""], [null, "", "a"]])
        {
            var vectors = Vectors(transformer, texts);
            Assert.IsTrue(Array.TrueForAll(vectors[0], value => value == 0));
            Assert.HasCount(32, vectors[0]);
            Assert.IsTrue(Array.TrueForAll(vectors[^1], value => value == 0) == string.IsNullOrEmpty(texts[^1]));
        }
    }

    [TestMethod]
    public void VectorsDoNotDependOnTheBatchSizeOrTheEngine()
    {
        using var model = TextModels.Random(4, 4);
        using var ordinary = Featurizer(model, FeaturePooling.Mean);
        var expected = Vectors(ordinary);
        using var other = Featurizer(model, FeaturePooling.Mean, options => options.BatchSize = 3);
        AreClose(expected, Vectors(other));
        using var engine = _mlContext.Model.CreatePredictionEngine<TextRow, FeatureRow>(ordinary);
        AreClose(expected,
            [.. TextModels.Texts.Select(text => engine.Predict(new TextRow { Text = text }).Features)]);
    }

    [TestMethod]
    public void TheVectorsSizeIsInTheSchema()
    {
        using var model = TextModels.Random(4, 2);
        var estimator = Estimator(model, FeaturePooling.Mean, options => options.FeaturesColumnName = "F");
        var rows = _mlContext.Rows(TextModels.Texts);
        using var two = estimator.Fit(rows);
        using var one = two.WithChainCount(1);
        foreach (var (transformer, width) in ((ElasticScoringTransformer, int)[])[(two, 24), (one, 16)])
        {
            foreach (var schema in (DataViewSchema[])
                [transformer.Transform(rows).Schema, transformer.GetOutputSchema(rows.Schema)])
            {
                CollectionAssert.AreEqual(
                    new[] { "Text", "Number", "F" }, schema.Select(column => column.Name).ToArray());
                Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, width), schema["F"].Type);
            }
            CollectionAssert.AreEqual(Shapes.Describe(Shapes.Of(transformer.Transform(rows).Schema)),
                Shapes.Describe(estimator.GetOutputSchema(Shapes.Of(rows.Schema))));
        }
    }

    [TestMethod]
    [DataRow(FeaturePooling.Mean)]
    [DataRow(FeaturePooling.LastToken)]
    public void AZipKeepsTheTask(FeaturePooling pooling)
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        using var transformer = Featurizer(model, pooling, options => options.ChainCount = 1);
        _mlContext.Model.Save(transformer, _mlContext.Rows("text").Schema, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)new MLContext().Model.Load(folder["model.zip"], out _);
        Assert.AreEqual(transformer.Settings, loaded.Settings);
        Assert.AreEqual(1, loaded.ChainCount);
        var (expected, found) = (Vectors(transformer), Vectors(loaded));
        for (var i = 0; i < expected.Length; i++)
            CollectionAssert.AreEqual(expected[i], found[i]);
    }

    [TestMethod]
    public void NothingRunsWhenNoVectorIsAskedFor()
    {
        using var model = TextModels.Random(4);
        var transformer = Featurizer(model, FeaturePooling.Mean);
        var scored = transformer.Transform(_mlContext.Rows(TextModels.Texts));
        model.Dispose();
        CollectionAssert.AreEqual(TextModels.Texts.Select(text => text ?? "").ToArray(),
            scored.GetColumn<string>("Text").Select(text => text ?? "").ToArray());
        Assert.ThrowsExactly<ObjectDisposedException>(() => scored.GetColumn<float[]>("Features").ToArray());
    }

    [TestMethod]
    public void VectorsLeaveNoTensorBehind()
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = Featurizer(model, FeaturePooling.Mean);
        Vectors(transformer);
        var before = LiveTensors.CountSettled();
        Vectors(transformer);
        Assert.AreEqual(before, LiveTensors.Count);
    }

    [TestMethod]
    public void AVectorIsTheCallersOwn()
    {
        using var model = TextModels.Random(4);
        using var transformer = Featurizer(model, FeaturePooling.Mean);
        var scored = transformer.Transform(_mlContext.Rows("a text"));
        using var cursor = scored.GetRowCursor(scored.Schema);
        var read = cursor.GetGetter<VBuffer<float>>(scored.Schema["Features"]);
        Assert.IsTrue(cursor.MoveNext());
        VBuffer<float> vector = default;
        read(ref vector);
        var expected = vector.DenseValues().ToArray();
        VBufferEditor.CreateFromBuffer(ref vector).Values.Clear();
        read(ref vector);
        CollectionAssert.AreEqual(expected, vector.DenseValues().ToArray());
    }

    [TestMethod]
    public void ATrainerBehindLearnsFromTheVectors()
    {
        using var model = TextModels.Random(4, 4);
        LabelledRow[] rows = [.. Enumerable.Range(0, 80).Select(i => new LabelledRow
        {
            Text = i % 2 == 0 ? $"good {i} day, all is well" : $"bad {i} night: nothing works",
            Label = i % 2 == 0,
        })];
        var train = _mlContext.Data.LoadFromEnumerable(rows[..60]);
        var test = _mlContext.Data.LoadFromEnumerable(rows[60..]);
        var pipeline = _mlContext.Transforms.CopyColumns("Story", "Text")
            .Append(Estimator(model, FeaturePooling.Mean, options => options.TextColumnName = "Story"))
            .AppendCacheCheckpoint(_mlContext)
            .Append(_mlContext.BinaryClassification.Trainers.SdcaLogisticRegression());
        var fitted = pipeline.Fit(train);
        var metrics = _mlContext.BinaryClassification.Evaluate(fitted.Transform(test));
        Assert.IsGreaterThan(0.95, metrics.Accuracy);

        using var folder = new TemporaryFolder();
        _mlContext.Model.Save(fitted, train.Schema, folder["model.zip"]);
        var elsewhere = new MLContext();
        var loaded = elsewhere.Model.Load(folder["model.zip"], out _);
        using var disposing = loaded as IDisposable;
        Assert.AreEqual(
            metrics.Accuracy, elsewhere.BinaryClassification.Evaluate(loaded.Transform(test)).Accuracy);
    }

    [TestMethod]
    public void SettingsThatNoTaskHasAreRefused()
    {
        using var model = TextModels.Random(4);
        foreach (var (change, named) in ((Action<ElasticScoringEstimator.Options>, string)[])[
            (options => options.FeaturesColumnName = "", "column name"),
            (options => options.FeaturesColumnName = "Text", "Text"),
            (options => options.Task = (ScoringTask)99, "ScoringTask"),
            (options => options.Pooling = (FeaturePooling)2, "FeaturePooling")])
        {
            Assert.Contains(named, Assert.ThrowsExactly<ArgumentException>(
                () => Estimator(model, FeaturePooling.Mean, change)).Message);
        }
        // Columns that a task does not have may have any name.
        Estimator(model, FeaturePooling.Mean, options => options.PerplexityColumnName = "Text");
    }

    private float[][] Vectors(ITransformer transformer, params string?[] texts) =>
        [.. transformer.Transform(_mlContext.Rows(texts.Length == 0 ? TextModels.Texts : texts))
            .GetColumn<float[]>("Features")];

    private ElasticScoringTransformer Featurizer(
        CoLMModel model, FeaturePooling pooling, Action<ElasticScoringEstimator.Options>? change = null) =>
        Estimator(model, pooling, change).Fit(_mlContext.Rows("text"));

    private ElasticScoringEstimator Estimator(
        CoLMModel model, FeaturePooling pooling, Action<ElasticScoringEstimator.Options>? change = null) =>
        _mlContext.Transforms.ElasticScoring(Options(model, pooling, change));

    private static ElasticScoringEstimator.Options Options(
        CoLMModel model, FeaturePooling pooling, Action<ElasticScoringEstimator.Options>? change)
    {
        var options = new ElasticScoringEstimator.Options
        {
            Model = model,
            Task = ScoringTask.Features,
            Pooling = pooling,
        };
        change?.Invoke(options);
        return options;
    }

    /// <summary>Features of each token of a text, a window at a time.</summary>
    private static List<float[]> PlainFeatures(CoLMModel model, string? text, int? length = null, int? stride = null)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var features = new List<float[]>();
        if (string.IsNullOrEmpty(text))
            return features;
        var tokens = model.CreateTokenizer().EncodeDocument(text, model.Config.BosTokenId);
        var window = length ?? model.Config.ContextLength;
        for (var start = 0; features.Count < tokens.Length; start += stride ?? (window + 1) / 2)
        {
            var end = Math.Min(tokens.Length, start + window);
            var ids = tensor(tokens[start..end], dtype: int64).unsqueeze(0);
            var rows = model.Features(ids, new ChainRange(0, model.Config.ChainCount));
            while (features.Count < end)
                features.Add(rows[features.Count - start].data<float>().ToArray());
        }
        return features;
    }

    private static float[] Mean(List<float[]> features) => [.. Enumerable.Range(0, 32).Select(
        column => features.Count == 0 ? 0 : features.Average(row => row[column]))];

    private static void AreClose(IEnumerable<float[]> expected, float[][] actual)
    {
        foreach (var (one, other) in expected.Zip(actual))
        {
            Assert.HasCount(one.Length, other);
            for (var column = 0; column < one.Length; column++)
                Assert.AreEqual(one[column], other[column], 1e-5);
        }
    }

    private sealed class LabelledRow
    {
        public string Text { get; set; } = "";

        public bool Label { get; set; }
    }
}
