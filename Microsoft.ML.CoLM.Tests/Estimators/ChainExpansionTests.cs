using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class ChainExpansionTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(true, false, new[] { 4 })]
    [DataRow(false, false, new[] { 4 })]
    [DataRow(true, true, new[] { 2 })]
    [DataRow(false, true, new[] { 2, 4 })]
    [DataRow(true, false, new[] { 4, 2 })]
    public void EarlierChainsStayAsTheyAreToTheBit(bool kvSharing, bool tied, int[] addedChains)
    {
        using var model = TextModels.Random(TextModels.Config(4) with { TieWordEmbeddings = tied });
        using var before = _mlContext.Scorer(model);
        var options = Expansion.Grow(model, 6, addedChains);
        options.KvSharing = kvSharing;
        using var fitted = _mlContext.Fit(options);

        Assert.AreEqual(new ChainLayout([4, .. addedChains]), fitted.Model.Config.Layout);
        Assert.AreEqual(kvSharing, fitted.Model.Config.KvSharing);
        Assert.AreEqual(1 + addedChains.Length, fitted.ChainCount);
        ModelAssert.SameWeights(fitted.Model, model);
        using var one = fitted.WithChainCount(1);
        CollectionAssert.AreEqual(
            before.Score(_mlContext, TextModels.Texts), one.Score(_mlContext, TextModels.Texts));
        CollectionAssert.AreNotEqual(
            before.Score(_mlContext, TextModels.Texts), fitted.Score(_mlContext, TextModels.Texts));
    }

    [TestMethod]
    public void AModelOfSeveralChainsGrowsFurther()
    {
        using var first = _mlContext.Fit(Expansion.FromNothing(4, 4));
        using var second = _mlContext.Fit(Expansion.Grow(first.Model, 4, 2));
        using var third = _mlContext.Fit(Expansion.Grow(second.Model, 4, 4));
        Assert.AreEqual(new ChainLayout(4, 2, 4), third.Model.Config.Layout);
        ModelAssert.SameWeights(third.Model, second.Model);
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var before = second.WithChainCount(chainCount);
            using var after = third.WithChainCount(chainCount);
            CollectionAssert.AreEqual(
                before.Score(_mlContext, TextModels.Texts), after.Score(_mlContext, TextModels.Texts));
        }
    }

    [TestMethod]
    public void WithoutStepsTheGrownModelScoresAsItsBaseAtEveryChainCount()
    {
        using var model = TextModels.Random(4);
        using var before = _mlContext.Scorer(model);
        using var fitted = _mlContext.Fit(Expansion.Grow(model, 0, 4, 2));
        Assert.AreEqual(0, fitted.Training!.Steps);
        for (var chainCount = 1; chainCount <= 3; chainCount++)
        {
            using var elastic = fitted.WithChainCount(chainCount);
            CollectionAssert.AreEqual(
                before.Score(_mlContext, TextModels.Texts), elastic.Score(_mlContext, TextModels.Texts));
        }
    }

    [TestMethod]
    public void AChainMayStartAsACopyOfTheFirst()
    {
        using var model = TextModels.Random(4);
        var options = Expansion.Grow(model, 0, 4);
        options.Initialization = ChainInitialization.CopyFirstChain;
        using var fitted = _mlContext.Fit(options);
        using var expected = model.Expand([4], options.KvSharing, initialization: options.Initialization);
        ModelAssert.SameWeights(expected, fitted.Model);
    }

    [TestMethod]
    [DataRow(new[] { 4 }, TrainingObjective.LastScale)]
    [DataRow(new[] { 4, 4 }, TrainingObjective.LastScale)]
    [DataRow(new[] { 4, 4 }, TrainingObjective.MultiChain)]
    public void AModelFromNothingLearns(int[] chains, TrainingObjective objective)
    {
        var options = Expansion.FromNothing(60, chains);
        var recorder = new Recorder();
        (options.Objective, options.Progress) = (objective, recorder);
        using var fitted = _mlContext.Fit(options);

        var scales = objective == TrainingObjective.MultiChain ? chains.Length : 1;
        Assert.AreEqual(Math.Log(ByteTokenizer.VocabularySize), recorder.Reports[0].Loss / scales, 0.1);
        Assert.IsLessThan(recorder.Reports[0].Loss - 1.5 * scales, recorder.Reports[^1].Loss);
        Assert.AreEqual(ByteTokenizer.BeginningOfTextId, fitted.Model.Config.BosTokenId);
        CollectionAssert.AreEqual(new[] { ByteTokenizer.EndOfTextId }, fitted.Model.Config.EosTokenIds.ToArray());
        Assert.IsLessThan(4, fitted.Score(_mlContext, Expansion.Corpus).MeanLoss());
    }

    [TestMethod]
    public void TheMultiChainObjectiveTeachesTheScalesThatItsWeightsName()
    {
        double LossOfFirstChain(TrainingObjective objective, double[]? weights = null)
        {
            var options = Expansion.FromNothing(40, 4, 4);
            (options.Objective, options.ScaleWeights) = (objective, weights);
            using var fitted = _mlContext.Fit(options);
            using var one = fitted.WithChainCount(1);
            return one.Score(_mlContext, Expansion.Corpus).MeanLoss();
        }
        var last = LossOfFirstChain(TrainingObjective.LastScale);
        Assert.AreEqual(last, LossOfFirstChain(TrainingObjective.MultiChain, [0, 1]), 1e-4);
        Assert.IsLessThan(last - 0.02, LossOfFirstChain(TrainingObjective.MultiChain));
        Assert.IsLessThan(last - 0.02, LossOfFirstChain(TrainingObjective.MultiChain, [5, 1]));
    }

    [TestMethod]
    public void ScaleWeightsWeighTheLosses()
    {
        using var model = TextModels.Random(4);
        double FirstLoss(TrainingObjective objective, double[]? weights = null)
        {
            var options = Expansion.Grow(model, 1, 4, 4);
            (options.Objective, options.ScaleWeights) = (objective, weights);
            using var fitted = _mlContext.Fit(options);
            return fitted.Training!.Loss;
        }
        // Before the first step every scale's logits are the base's.
        var loss = FirstLoss(TrainingObjective.LastScale);
        Assert.AreEqual(2 * loss, FirstLoss(TrainingObjective.MultiChain), 1e-4 * loss);
        Assert.AreEqual(3.25 * loss, FirstLoss(TrainingObjective.MultiChain, [7, 3, 0.25]), 1e-4 * loss);
        Assert.AreEqual(3 * loss, FirstLoss(TrainingObjective.MultiChain, [0, 3, 0]), 1e-4 * loss);
    }

    [TestMethod]
    public void AChainThatIsAddedLowersTheLoss()
    {
        using var start = _mlContext.Fit(Expansion.FromNothing(20, 4));
        var options = Expansion.Grow(start.Model, 60, 4);
        var recorder = new Recorder();
        options.Progress = recorder;
        using var grown = _mlContext.Fit(options);
        Assert.IsLessThan(recorder.Reports[0].Loss - 0.3, recorder.Reports[^1].Loss);
        Assert.IsLessThan(
            start.Score(_mlContext, Expansion.Corpus).MeanLoss() - 0.3,
            grown.Score(_mlContext, Expansion.Corpus).MeanLoss());
    }

    [TestMethod]
    public void OneSeedGivesOneModelToTheBit()
    {
        using var model = TextModels.Random(4);
        ElasticScoringTransformer Fit(int? contextSeed, int? seed)
        {
            var options = Expansion.Grow(model, 5, 4);
            options.Seed = seed;
            return new MLContext(contextSeed).Fit(options);
        }
        using var first = Fit(contextSeed: 1, seed: 7);
        using var same = Fit(contextSeed: 2, seed: 7);
        using var other = Fit(contextSeed: 1, seed: 8);
        Assert.IsTrue(ModelAssert.HaveSameWeights(first.Model, same.Model));
        Assert.IsFalse(ModelAssert.HaveSameWeights(first.Model, other.Model));

        using var byContext = Fit(contextSeed: 7, seed: null);
        using var byOther = Fit(contextSeed: 8, seed: null);
        Assert.IsTrue(ModelAssert.HaveSameWeights(first.Model, byContext.Model));
        Assert.IsFalse(ModelAssert.HaveSameWeights(byContext.Model, byOther.Model));

        using var drawn = Fit(contextSeed: null, seed: null);
        using var drawnAgain = Fit(contextSeed: null, seed: null);
        Assert.IsFalse(ModelAssert.HaveSameWeights(drawn.Model, drawnAgain.Model));
    }

    [TestMethod]
    public void FittingTwiceGivesTheSameModel()
    {
        var estimator = _mlContext.Transforms.ChainExpansion(Expansion.FromNothing(5, 4));
        using var first = estimator.Fit(_mlContext.Rows(Expansion.Corpus));
        using var second = estimator.Fit(_mlContext.Rows(Expansion.Corpus));
        Assert.AreNotSame(first.Model, second.Model);
        Assert.IsTrue(ModelAssert.HaveSameWeights(first.Model, second.Model));
    }

    [TestMethod]
    public void AFolderAndAModelInMemoryGiveTheSame()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4);
        model.Save(folder.Path);
        var options = Expansion.Grow(model, 5, 4);
        using var fromMemory = _mlContext.Fit(options);
        (options.Model, options.ModelFolder) = (null, folder.Path);
        using var fromFolder = _mlContext.Fit(options);
        Assert.IsTrue(ModelAssert.HaveSameWeights(fromMemory.Model, fromFolder.Model));
    }

    [TestMethod]
    public void AModelInMemoryIsTheSameAfterwards()
    {
        using var model = TextModels.Random(4);
        using var copy = TextModels.Random(4);
        var flags = model.parameters().Select(parameter => parameter.requires_grad).ToArray();
        using (var fitted = _mlContext.Fit(Expansion.Grow(model, 3, 4)))
            Assert.AreNotSame(model, fitted.Model);
        ModelAssert.SameWeights(copy, model);
        CollectionAssert.AreEqual(flags, model.parameters().Select(parameter => parameter.requires_grad).ToArray());
        Assert.IsTrue(model.parameters().All(parameter => parameter.grad is null));
        Assert.AreEqual(new ChainLayout(4), model.Config.Layout);
    }

    [TestMethod]
    public void TheTrainedModelIsTheTransformersOwn()
    {
        using var fitted = _mlContext.Fit(Expansion.FromNothing(1, 4));
        var model = fitted.Model;
        using (fitted.WithChainCount(1))
            fitted.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.ParameterCount(1));
    }

    [TestMethod]
    public void AModelTrainsInBFloat16()
    {
        var options = Expansion.FromNothing(40, 4);
        var recorder = new Recorder();
        (options.DataType, options.Progress) = (ScalarType.BFloat16, recorder);
        using var fitted = _mlContext.Fit(options);
        Assert.IsTrue(fitted.Model.parameters().All(parameter => parameter.dtype == ScalarType.BFloat16));
        Assert.IsLessThan(recorder.Reports[0].Loss - 1, recorder.Reports[^1].Loss);
    }

    [TestMethod]
    public void AModelGrowsInAnotherTypeThanItsBase()
    {
        using var model = TextModels.Random(TextModels.Config(4), dtype: ScalarType.BFloat16);
        using var wide = _mlContext.Fit(Expansion.Grow(model, 3, 4));
        Assert.IsTrue(wide.Model.parameters().All(parameter => parameter.dtype == ScalarType.Float32));
        foreach (var (name, parameter) in model.named_parameters())
            AreSame(parameter.to(ScalarType.Float32), Find(wide.Model, name), name);
        Assert.IsTrue(model.parameters().All(parameter => parameter.dtype == ScalarType.BFloat16));

        var options = Expansion.Grow(wide.Model, 3, 2);
        options.DataType = ScalarType.BFloat16;
        using var narrow = _mlContext.Fit(options);
        Assert.IsTrue(narrow.Model.parameters().All(parameter => parameter.dtype == ScalarType.BFloat16));
        foreach (var (name, parameter) in wide.Model.named_parameters())
            AreSame(parameter.to(ScalarType.BFloat16), Find(narrow.Model, name), name);

        static Tensor Find(CoLMModel model, string name) =>
            model.named_parameters().Single(entry => entry.name == name).parameter;
        static void AreSame(Tensor expected, Tensor actual, string name) =>
            Assert.IsTrue(expected.bytes.SequenceEqual(actual.bytes), name);
    }

    [TestMethod]
    public void AModelFromNothingMayHaveTheTokenizerOfAFolder()
    {
        using var folder = new TemporaryFolder();
        foreach (var (name, content) in ByteTokenizer.CreateFiles().Files)
            File.WriteAllBytes(folder[name], content);
        var options = Expansion.FromNothing(2, 4);
        options.Architecture = options.Architecture! with
        {
            VocabularySize = 300,
            BosTokenId = 299,
            EosTokenIds = [298],
        };
        options.TokenizerFolder = folder.Path;
        using var fitted = _mlContext.Fit(options);
        Assert.AreEqual(299, fitted.Model.Config.BosTokenId);
        CollectionAssert.AreEqual(new[] { 298 }, fitted.Model.Config.EosTokenIds.ToArray());
        Assert.AreEqual(5, fitted.Score(_mlContext, "hello")[0].TokenCount);
        CollectionAssert.AreEqual(
            ByteTokenizer.CreateFiles().Files.Select(file => file.Key).ToArray(),
            fitted.Model.TokenizerFiles!.Files.Select(file => file.Key).ToArray());
    }

    [TestMethod]
    public void AModelFromNothingMayHaveASentencePieceTokenizer()
    {
        var options = Expansion.FromNothing(2, 4);
        options.Architecture = options.Architecture! with { VocabularySize = 512, BosTokenId = 1, EosTokenIds = [2] };
        options.TokenizerFolder = SharedData.Folder("data", "stories260K");
        using var fitted = _mlContext.Fit(options);
        using var reference = _mlContext.Transforms.ElasticScoring(SharedData.Folder("data", "stories260K"))
            .Fit(_mlContext.Rows("text"));
        const string Story = "Once upon a time, there was a boy.";
        Assert.AreEqual(
            reference.Score(_mlContext, Story)[0].TokenCount, fitted.Score(_mlContext, Story)[0].TokenCount);
    }

    [TestMethod]
    [DataRow(new[] { 8 }, true)]
    [DataRow(new[] { 4 }, false)]
    [DataRow(new[] { 8, 4 }, true)]
    public void TheReferenceModelScoresAsBeforeWithItsFirstChain(int[] addedChains, bool kvSharing)
    {
        var folder = SharedData.Folder("data", "stories260K");
        string[] stories = ["Once upon a time, there was a boy named Tim.", "The end.", ""];
        var options = Expansion.Steps(3);
        (options.ModelFolder, options.AddedChains, options.KvSharing) = (folder, addedChains, kvSharing);
        using var before = _mlContext.Transforms.ElasticScoring(folder).Fit(_mlContext.Rows("text"));
        using var fitted = _mlContext.Fit(options);
        ModelAssert.SameWeights(fitted.Model, before.Model);
        using var one = fitted.WithChainCount(1);
        CollectionAssert.AreEqual(before.Score(_mlContext, stories), one.Score(_mlContext, stories));
    }

    [TestMethod]
    public void TheShortFormGrowsAFolder()
    {
        using var folder = new TemporaryFolder();
        using (var model = TextModels.Random(TextModels.Config(4) with { ContextLength = 256 }))
            model.Save(folder.Path);
        using var fitted = _mlContext.Transforms.ChainExpansion(folder.Path, [2, 4], kvSharing: false, "Text")
            .Fit(_mlContext.Rows("a short text"));
        Assert.AreEqual(new ChainLayout(4, 2, 4), fitted.Model.Config.Layout);
        Assert.IsFalse(fitted.Model.Config.KvSharing);
        Assert.AreEqual(1, fitted.Training!.Steps);
    }

    [TestMethod]
    public void TextMayBeInAnotherColumn()
    {
        var data = _mlContext.Data.LoadFromEnumerable(
            Expansion.Corpus.Select(text => new Document { Story = text }).ToArray());
        var options = Expansion.FromNothing(2, 4);
        options.TextColumnName = "Story";
        using var fitted = _mlContext.Transforms.ChainExpansion(options).Fit(data);
        Assert.HasCount(Expansion.Corpus.Length, fitted.Transform(data).GetColumn<float>("LogProbability").ToArray());
    }

    [TestMethod]
    public void RowsWithoutTextAreNoDocuments()
    {
        var options = Expansion.FromNothing(3, 4);
        using var full = _mlContext.Fit(options, Expansion.Corpus);
        using var holes = _mlContext.Fit(options, Expansion.Corpus.SelectMany(text => (string?[])[null, text, ""]));
        Assert.IsTrue(ModelAssert.HaveSameWeights(full.Model, holes.Model));
    }

    [TestMethod]
    public void ACorpusThatIsShorterThanAWindowTrains()
    {
        using var fitted = _mlContext.Fit(Expansion.FromNothing(3, 4), "a");
        Assert.AreEqual(3, fitted.Training!.Steps);
        Assert.IsTrue(double.IsFinite(fitted.Training.Loss));
    }

    [TestMethod]
    public void TheEstimatorStandsInAPipeline()
    {
        var rows = _mlContext.Data.LoadFromEnumerable(
            Expansion.Corpus.Select(text => new Document { Story = text }).ToArray());
        var pipeline = _mlContext.Transforms.Text.NormalizeText("Text", "Story")
            .Append(_mlContext.Transforms.ChainExpansion(Expansion.FromNothing(3, 4, 4)))
            .Append(_mlContext.Transforms.CopyColumns("Copied", "Perplexity"));
        using var fitted = pipeline.Fit(rows);
        var scored = fitted.Transform(rows);
        CollectionAssert.AreEqual(
            scored.GetColumn<float>("Perplexity").ToArray(), scored.GetColumn<float>("Copied").ToArray());
        using var folder = new TemporaryFolder();
        _mlContext.Model.Save(fitted, rows.Schema, folder["model.zip"]);
        var loaded = new MLContext().Model.Load(folder["model.zip"], out _);
        using var disposing = loaded as IDisposable;
        CollectionAssert.AreEqual(
            scored.GetColumn<float>("Perplexity").ToArray(),
            loaded.Transform(rows).GetColumn<float>("Perplexity").ToArray());
    }

    private sealed class Document
    {
        public string? Story { get; set; }
    }
}
