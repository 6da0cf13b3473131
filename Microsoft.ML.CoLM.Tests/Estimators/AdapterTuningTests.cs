using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Chain Tuning with low-rank adapters.</summary>
[TestClass, DoNotParallelize]
public sealed class AdapterTuningTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow("4,2,4", null)]
    [DataRow("4,2,4", 1)]
    [DataRow("4,2,4", 0)]
    [DataRow("4", null)]
    [DataRow("4", 0)]
    public void AdaptersAndTheHeadAloneAreTrained(string chains, int? frozenChains)
    {
        using var model = TextModels.Random([.. ChainLayout.Parse(chains).Heads]);
        var before = TinyTraining.Values(model);
        using var source = _mlContext.Scorer(model);
        var options = Options(source, steps: 3);
        options.FrozenChains = frozenChains;
        using var tuned = _mlContext.Tune(options);

        Assert.AreEqual(ChainLayout.Parse(chains), tuned.Model.Config.Layout);
        Assert.IsEmpty(Tuning.Differences(before, model));
        foreach (var ((name, own), (_, shared)) in model.named_parameters().Zip(tuned.Model.named_parameters()))
        {
            Assert.IsTrue(Tuning.ShareMemory(own, shared), name);
            Assert.IsFalse(shared.requires_grad, name);
        }
        var adapters = tuned.Model.Adapters!;
        Assert.AreEqual(frozenChains ?? model.Config.ChainCount - 1, adapters.FirstChain);
        foreach (var (name, parameter) in adapters.named_parameters())
        {
            if (name.Contains("lora_B", StringComparison.Ordinal))
                Assert.IsGreaterThan(0f, parameter.abs().max().item<float>(), name);
            Assert.IsNull(parameter.grad);
        }
        Assert.AreEqual(
            adapters.parameters().Concat(tuned.Head().parameters()).Sum(parameter => parameter.numel()),
            tuned.Training!.TrainedParameterCount);
    }

    [TestMethod]
    public void AddedChainsMayHaveAdapters()
    {
        using var model = TextModels.Random(4);
        using var source = _mlContext.Scorer(model);
        var options = Options(source, steps: 2);
        options.AddedChains = [4];
        using var tuned = _mlContext.Tune(options);
        Assert.AreEqual(new ChainLayout(4, 4), tuned.Model.Config.Layout);
        Assert.AreEqual(1, tuned.Model.Adapters!.FirstChain);
    }

    [TestMethod]
    public void AdaptersOfACopiedChainStartFromTheBase()
    {
        using var model = TextModels.Random(4);
        using var source = _mlContext.Scorer(model);
        var options = Options(source, steps: 0);
        (options.AddedChains, options.Initialization) = ([4], ChainInitialization.CopyFirstChain);
        using var tuned = _mlContext.Tune(options);
        using var expected = model.Expand([4], options.KvSharing, initialization: ChainInitialization.CopyFirstChain);
        ModelAssert.SameWeights(expected, tuned.Model);
    }

    [TestMethod]
    public void AdaptersLearn()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var recorder = new Recorder();
        var options = Options(source, steps: 40);
        (options.BatchSize, options.Progress, options.Objective) = (12, recorder, TrainingObjective.LastScale);
        using var tuned = _mlContext.Tune(options);
        Assert.IsLessThan(recorder.Reports[0].Loss / 4, recorder.Reports[^1].Loss);
        Assert.AreEqual(1, _mlContext.Evaluate(tuned).MicroAccuracy);
    }

    [TestMethod]
    public void TasksTunedFromOneModelShareItAndDoNotTouchEachOther()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var texts = source.Score(_mlContext, TextModels.Texts);
        using var first = _mlContext.Tune(Options(source, steps: 5));
        var before = _mlContext.Predict(first).Scores();
        var options = Options(source, steps: 5);
        options.LabelColumnName = "Degrees";
        var second = _mlContext.Tune(options);
        foreach (var ((name, one), (_, other)) in first.Model.ChainParameters().Zip(second.Model.ChainParameters()))
            Assert.IsTrue(Tuning.ShareMemory(one, other), name);
        CollectionAssert.AreEqual(before, _mlContext.Predict(first).Scores());
        CollectionAssert.AreEqual(texts, source.Score(_mlContext, TextModels.Texts));
        second.Dispose();
        CollectionAssert.AreEqual(before, _mlContext.Predict(first).Scores());
    }

    [TestMethod]
    public void AZipPredictsTheSameToTheBit()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(TextModels.Config(4, 2, 4) with { KvSharing = true });
        using var source = _mlContext.Scorer(model);
        var options = Options(source, steps: 3);
        options.FrozenChains = 1;
        options.Lora = new LoraOptions
        {
            Rank = 3,
            Alpha = 5,
            Dropout = 0.25,
            Projections = LoraProjections.Query | LoraProjections.Up | LoraProjections.Down,
        };
        using var tuned = _mlContext.Tune(options);
        _mlContext.Model.Save(tuned, _mlContext.Keyed().Schema, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)new MLContext().Model.Load(folder["model.zip"], out _);
        var lora = loaded.Model.Adapters!.Lora;
        Assert.AreEqual((3, 5.0, 0.25), (lora.Rank, lora.Alpha, lora.Dropout));
        Assert.AreEqual(options.Lora.Projections, lora.Projections);
        Assert.IsFalse(lora.MergeIntoWeights);
        Assert.AreEqual(1, loaded.Model.Adapters.FirstChain);
        ModelAssert.SameWeights(model, loaded.Model);
        for (var chainCount = 1; chainCount <= 3; chainCount++)
        {
            using var expected = tuned.WithChainCount(chainCount);
            using var actual = loaded.WithChainCount(chainCount);
            CollectionAssert.AreEqual(_mlContext.Predict(expected).Scores(), _mlContext.Predict(actual).Scores());
        }
    }

    [TestMethod]
    public void TasksFromTwoZipsShareOneModelAgain()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var loaded = new List<ElasticScoringTransformer>();
        foreach (var label in new[] { "Label", "Degrees" })
        {
            var options = Options(source, steps: 5);
            options.LabelColumnName = label;
            using var tuned = _mlContext.Tune(options);
            _mlContext.Model.Save(tuned, _mlContext.Keyed().Schema, folder[$"{label}.zip"]);
            loaded.Add((ElasticScoringTransformer)new MLContext().Model.Load(folder[$"{label}.zip"], out _));
        }
        var (first, second) = (loaded[0], loaded[1]);
        var expected = _mlContext.Predict(first).Scores();
        // What the kernels read, which was made of the weights that are given up.
        _ = first.Model.WithoutAdapters();

        var bytes = first.Model.ShareWeights(second.Model);
        Assert.AreEqual(sizeof(float) * model.ParameterCount(chainCount: 2), bytes);
        foreach (var ((name, one), (_, other)) in first.Model.ChainParameters().Zip(second.Model.ChainParameters()))
            Assert.IsTrue(Tuning.ShareMemory(one, other), name);
        CollectionAssert.AreEqual(expected, _mlContext.Predict(first).Scores());
        Assert.IsTrue(Tuning.ShareMemory(first.Model.WithoutAdapters().Norm.Weight(0), second.Model.Norm.Weight(0)),
            "What the kernels read was made anew.");
        second.Dispose();
        CollectionAssert.AreEqual(expected, _mlContext.Predict(first).Scores());
        first.Dispose();
    }

    [TestMethod]
    public void AnAdaptedModelMayBeTunedAgain()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        using var first = _mlContext.Tune(Options(source, steps: 3));
        using var merged = first.Model.MergeAdapters();
        using var second = _mlContext.Tune(Tuning.Steps(first, steps: 0));
        Assert.IsNull(second.Model.Adapters);
        ModelAssert.SameWeights(merged, second.Model);
        using var third = _mlContext.Tune(Options(first, steps: 3));
        ModelAssert.SameWeights(merged, third.Model);
    }

    [TestMethod]
    public void DropoutIsTheSeedsAndLeavesNothingInScoringOrInTorch()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        ElasticScoringTransformer Fit(double dropout, int seed = 3)
        {
            var options = Options(source, steps: 4);
            options.Lora!.Dropout = dropout;
            (options.ValidationSet, options.Seed) = (_mlContext.Keyed(), seed);
            return _mlContext.Tune(options);
        }
        using var state = random.get_rng_state();
        using var tuned = Fit(0.5);
        using var stateAfter = random.get_rng_state();
        TensorAssert.SameBits(state, stateAfter, "torch's random numbers");
        _ = random.manual_seed(1234);
        using var again = Fit(0.5);
        using var without = Fit(0);
        var scores = _mlContext.Predict(tuned).Scores();
        CollectionAssert.AreEqual(scores, _mlContext.Predict(again).Scores());
        CollectionAssert.AreEqual(scores, _mlContext.Predict(tuned).Scores(), "Nothing is dropped in scoring.");
        CollectionAssert.AreNotEqual(scores, _mlContext.Predict(without).Scores());
        Assert.AreEqual(_mlContext.Evaluate(tuned).LogLoss, tuned.Training!.ValidationLosses[1], 1e-4);
    }

    [TestMethod]
    public void GeneratingWithAdaptersIsGeneratingWithTheMergedModel()
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true, EosTokenIds = [] });
        using var source = _mlContext.Scorer(model);
        using var tuned = _mlContext.Tune(Options(source, steps: 5));
        using var merged = tuned.Model.MergeAdapters();
        foreach (var chainCount in (int[])[1, 2])
        {
            var options = new GenerationOptions { MaxNewTokens = 20, ChainCount = chainCount };
            var expected = new TextGenerator(merged, source.Tokenizer).GenerateResult("The cat", options);
            var actual = new TextGenerator(tuned.Model, source.Tokenizer).GenerateResult("The cat", options);
            CollectionAssert.AreEqual(expected.TokenIds.ToArray(), actual.TokenIds.ToArray());
        }
    }

    [TestMethod]
    [DataRow(0, "at least 1")]
    [DataRow(17, "at most 16")]
    public void ARankThatNoMatrixHasIsRefused(int rank, string named)
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var options = Options(source, steps: 1);
        options.Lora = new LoraOptions { Rank = rank, Projections = LoraProjections.Query };
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Tune(options).Dispose());
        Assert.Contains("Lora.Rank", error.Message);
        Assert.Contains(named, error.Message);
    }

    [TestMethod]
    public void AdaptersAreMergedWhenTrainingEndsOnRequest()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var before = TinyTraining.Values(model);
        using var apart = _mlContext.Tune(Options(source, steps: 3));
        var options = Options(source, steps: 3);
        options.Lora!.MergeIntoWeights = true;
        using var merged = _mlContext.Tune(options);

        Assert.IsNull(merged.Model.Adapters);
        Assert.IsEmpty(Tuning.Differences(before, model));
        Assert.IsTrue(Array.TrueForAll(Tuning.Differences(before, merged.Model), name => name.EndsWith("chain_2", StringComparison.Ordinal)));
        Assert.IsNotEmpty(Tuning.Differences(before, merged.Model));
        var expected = _mlContext.Predict(apart).Scores();
        var actual = _mlContext.Predict(merged).Scores();
        for (var i = 0; i < expected.Length; i++)
            Assert.AreEqual(expected[i], actual[i], 1e-5f);
    }

    private static ChainTuningEstimator.Options Options(ElasticScoringTransformer source, int steps)
    {
        var options = Tuning.Steps(source, steps);
        options.Lora = new LoraOptions { Rank = 4 };
        return options;
    }
}
