using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Interop;
using Microsoft.ML.CoLM.Tokenizers;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class ZipTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow(ScalarType.Float32, false, false)]
    [DataRow(ScalarType.Float32, true, true)]
    [DataRow(ScalarType.BFloat16, true, false)]
    [DataRow(ScalarType.Float16, false, true)]
    public void AZipGivesBackTheModelToTheBit(ScalarType dtype, bool kvSharing, bool tied)
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(
            TextModels.Config(4, 2, 4) with { KvSharing = kvSharing, TieWordEmbeddings = tied }, dtype: dtype);
        using var transformer = _mlContext.Scorer(model);
        Save(transformer, folder["model.zip"]);

        using var loaded = Load(folder["model.zip"]);
        Assert.AreEqual(3, loaded.ChainCount);
        Assert.IsNull(loaded.Training);
        Assert.AreEqual(model.Config.Layout, loaded.Model.Config.Layout);
        Assert.AreEqual(kvSharing, loaded.Model.Config.KvSharing);
        Assert.AreEqual(dtype, loaded.Model.DataType);
        ModelAssert.SameWeights(model, loaded.Model);
        if (dtype == ScalarType.Float16)
            return; // the CPU computes little in this type
        for (var chainCount = 1; chainCount <= 3; chainCount++)
        {
            using var before = transformer.WithChainCount(chainCount);
            using var after = loaded.WithChainCount(chainCount);
            CollectionAssert.AreEqual(
                before.Score(_mlContext, TextModels.Texts), after.Score(_mlContext, TextModels.Texts));
        }
    }

    [TestMethod]
    [DataRow(null, null)]
    [DataRow(32, null)]
    [DataRow(null, 20)]
    [DataRow(32, 8)]
    public void AZipKeepsTheSettings(int? window, int? stride)
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        using var transformer = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = model,
            ChainCount = 1,
            TextColumnName = "Text",
            LogProbabilityColumnName = "L",
            TokenCountColumnName = "N",
            PerplexityColumnName = "P",
            BatchSize = 7,
            Window = window,
            Stride = stride,
        }).Fit(_mlContext.Rows("text"));
        Save(transformer, folder["model.zip"]);
        using var loaded = Load(folder["model.zip"]);
        Assert.AreEqual(transformer.Settings, loaded.Settings);
        Assert.AreEqual((window, stride), (loaded.Settings.Windows.Length, loaded.Settings.Windows.Stride));
        Assert.AreEqual(1, loaded.ChainCount);
        Assert.IsNotNull(loaded.GetOutputSchema(_mlContext.Rows("text").Schema).GetColumnOrNull("P"));
        using var all = loaded.WithChainCount(2);
        Assert.AreEqual(2, all.ChainCount);
    }

    [TestMethod]
    public void EntriesHaveTheNamesAndBytesOfAFolder()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 2, 4);
        model.Save(folder["model"]);
        using var transformer = _mlContext.Scorer(model);
        Save(transformer, folder["model.zip"]);

        var entries = ZipEntries.Read(folder["model.zip"]);
        string[] expected =
        [
            "Model.key", "chain-1.safetensors", "chain-2.safetensors", "chain-3.safetensors", "config.json",
            "tokenizer.json", "tokenizer_config.json",
        ];
        CollectionAssert.AreEqual(
            expected, entries.Keys.Where(name => name.StartsWith(ZipEntries.Component, StringComparison.Ordinal))
                .Select(name => name[ZipEntries.Component.Length..]).ToArray());
        foreach (var name in expected[1..])
        {
            var file = name == "chain-1.safetensors" ? "model.safetensors" : name;
            CollectionAssert.AreEqual(
                File.ReadAllBytes(Path.Combine(folder["model"], file)), entries[ZipEntries.Component + name], name);
        }
    }

    [TestMethod]
    public void TheTokenizerIsStoredAsItWasGiven()
    {
        using var folder = new TemporaryFolder();
        var given = SharedData.Folder("data", "stories260K");
        using var transformer = _mlContext.Transforms.ElasticScoring(given).Fit(_mlContext.Rows("text"));
        Save(transformer, folder["model.zip"]);
        var entries = ZipEntries.Read(folder["model.zip"]);
        CollectionAssert.AreEqual(
            File.ReadAllBytes(Path.Combine(given, TokenizerFiles.SentencePieceName)),
            entries[ZipEntries.Component + TokenizerFiles.SentencePieceName]);
        CollectionAssert.AreEqual(
            File.ReadAllBytes(Path.Combine(given, "model.safetensors")),
            entries[ZipEntries.Component + "chain-1.safetensors"]);
        using var loaded = Load(folder["model.zip"]);
        CollectionAssert.AreEqual(
            transformer.Score(_mlContext, "Once upon a time", ""), loaded.Score(_mlContext, "Once upon a time", ""));
    }

    [TestMethod]
    public void ASavedZipOfALoadedOneHasTheSameEntries()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        using var transformer = _mlContext.Scorer(model);
        Save(transformer, folder["first.zip"]);
        using (var loaded = Load(folder["first.zip"]))
            Save(loaded, folder["second.zip"]);
        var (first, second) = (ZipEntries.Read(folder["first.zip"]), ZipEntries.Read(folder["second.zip"]));
        CollectionAssert.AreEqual(first.Keys, second.Keys);
        foreach (var (name, bytes) in first)
            CollectionAssert.AreEqual(bytes, second[name], name);
    }

    [TestMethod]
    public void APipelineIsSavedWithTheTransformsAroundTheModel()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        var rows = _mlContext.Rows(TextModels.Texts);
        var scoring = new ElasticScoringEstimator.Options { Model = model, BatchSize = 1 };
        using var fitted = _mlContext.Transforms.CopyColumns("Story", "Text")
            .Append(_mlContext.Transforms.Text.NormalizeText("Text"))
            .Append(_mlContext.Transforms.ElasticScoring(scoring))
            .Append(_mlContext.Transforms.Concatenate("Both", "LogProbability", "Perplexity"))
            .Fit(rows);
        _mlContext.Model.Save(fitted, rows.Schema, folder["pipeline.zip"]);

        var elsewhere = new MLContext();
        var loaded = elsewhere.Model.Load(folder["pipeline.zip"], out var schema);
        using var disposing = loaded as IDisposable;
        CollectionAssert.AreEqual(new[] { "Text", "Number" }, schema.Select(column => column.Name).ToArray());
        var expected = _mlContext.Scores(fitted.Transform(rows));
        CollectionAssert.AreEqual(expected, elsewhere.Scores(loaded.Transform(rows)));
        using var engine = elsewhere.Model.CreatePredictionEngine<TextRow, ScoredRow>(loaded, schema);
        for (var i = 0; i < expected.Length; i++)
            Assert.AreEqual(expected[i], engine.Predict(new TextRow { Text = TextModels.Texts[i] }));
    }

    [TestMethod]
    public void AZipIsReadFromAStreamAndWithoutASchema()
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model);
        using var stream = new MemoryStream();
        _mlContext.Model.Save(transformer, null, stream);
        stream.Position = 0;
        using var loaded = (ElasticScoringTransformer)new MLContext().Model.Load(stream, out var schema);
        Assert.IsNull(schema);
        CollectionAssert.AreEqual(
            transformer.Score(_mlContext, TextModels.Texts), loaded.Score(_mlContext, TextModels.Texts));
    }

    [TestMethod]
    public void DisposingALoadedPipelineFreesItsWeights()
    {
        using var folder = new TemporaryFolder();
        using (var model = TextModels.Random(4))
        using (var transformer = _mlContext.Scorer(model))
            Save(transformer, folder["model.zip"]);
        var loaded = Load(folder["model.zip"]);
        var weights = loaded.Model.parameters().ToArray();
        loaded.Dispose();
        Assert.IsTrue(Array.TrueForAll(weights, weight => weight.IsInvalid));
    }

    [TestMethod]
    public void SavingTouchesNoWeight()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        using var transformer = _mlContext.Scorer(model);
        var before = LiveTensors.CountSettled();
        Save(transformer, folder["model.zip"]);
        Assert.AreEqual(before, LiveTensors.Count);
        using var same = TextModels.Random(4, 4);
        ModelAssert.SameWeights(same, model);
    }

    [TestMethod]
    public void ANewProcessScoresTheSameAndTrainsTheSame()
    {
        const string ZipVariable = "COLM_TEST_ZIP";
        var options = new ChainExpansionEstimator.Options
        {
            Architecture = TextModels.Config(4, 4) with { KvSharing = true },
            SequenceLength = 32,
            BatchSize = 4,
            MaxSteps = 3,
            Seed = 7,
        };
        using var fitted = _mlContext.Transforms.ChainExpansion(options).Fit(_mlContext.Rows(TextModels.Texts));
        if (Environment.GetEnvironmentVariable(ZipVariable) is { } given)
        {
            // The other process: it knows no more than where the zip is.
            using var there = Load(given);
            ModelAssert.SameWeights(there.Model, fitted.Model);
            Assert.AreEqual(File.ReadAllText(given + ".txt"), Describe(there));
            return;
        }
        using var folder = new TemporaryFolder();
        Save(fitted, folder["model.zip"]);
        File.WriteAllText(folder["model.zip.txt"], Describe(fitted));
        FreshProcess.RunTest(TestContext, new() { [ZipVariable] = folder["model.zip"] });
    }

    /// <summary>All bits of all scores at every chain count.</summary>
    private string Describe(ElasticScoringTransformer transformer)
    {
        var lines = new List<string>();
        for (var chainCount = 1; chainCount <= transformer.Model.Config.ChainCount; chainCount++)
        {
            using var elastic = transformer.WithChainCount(chainCount);
            lines.AddRange(elastic.Score(_mlContext, TextModels.Texts).Select(score => string.Join(' ',
                BitConverter.SingleToInt32Bits(score.LogProbability), score.TokenCount,
                BitConverter.SingleToInt32Bits(score.Perplexity))));
        }
        return string.Join('\n', lines);
    }

    private void Save(ITransformer transformer, string path) =>
        _mlContext.Model.Save(transformer, _mlContext.Rows("text").Schema, path);

    private static ElasticScoringTransformer Load(string path) =>
        (ElasticScoringTransformer)new MLContext().Model.Load(path, out _);
}
