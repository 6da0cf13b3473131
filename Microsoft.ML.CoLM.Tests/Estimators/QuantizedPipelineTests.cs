using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Models with quantised chains in pipelines: scored, tuned, grown and saved.</summary>
[TestClass, DoNotParallelize]
public sealed class QuantizedPipelineTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void ScoresAreThoseOfTheWidenedWeights()
    {
        using var model = Quantized(WeightFormat.Int8, WeightFormat.Int4);
        using var numbers = model.Share(0);
        using var quantised = _mlContext.Scorer(model);
        using var widened = _mlContext.Scorer(numbers);
        foreach (var (expected, actual) in widened.Score(_mlContext, TextModels.Texts).Zip(quantised.Score(_mlContext, TextModels.Texts)))
            Assert.AreEqual(expected.LogProbability, actual.LogProbability, 1e-4f * MathF.Abs(expected.LogProbability));
    }

    [TestMethod]
    public void AZipKeepsFormatsAndScores()
    {
        using var folder = new TemporaryFolder();
        using var model = Quantized(WeightFormat.Int4, null);
        using var scorer = _mlContext.Scorer(model);
        _mlContext.Model.Save(scorer, null, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)_mlContext.Model.Load(folder["model.zip"], out _);
        CollectionAssert.AreEqual(model.Config.WeightFormats.ToArray(), loaded.Model.Config.WeightFormats.ToArray());
        ModelAssert.SameWeights(model, loaded.Model);
        CollectionAssert.AreEqual(scorer.Score(_mlContext, TextModels.Texts), loaded.Score(_mlContext, TextModels.Texts));
    }

    [TestMethod]
    public void AFolderIsQuantisedWhereItIsLoaded()
    {
        using var folder = new TemporaryFolder();
        using var source = TextModels.Random(4, 2);
        source.Save(folder.Path);
        using var scorer = _mlContext.Transforms.ElasticScoring(
            new ElasticScoringEstimator.Options { ModelFolder = folder.Path, Format = WeightFormat.Int8 }).Fit(_mlContext.Rows("text"));
        using var expected = source.Quantize(WeightFormat.Int8);
        ModelAssert.SameWeights(expected, scorer.Model);
        Refused("must be left out unless ModelFolder is given", new() { Model = source, Format = WeightFormat.Int8 });
        Refused("must be a WeightFormat, found 9", new() { ModelFolder = folder.Path, Format = (WeightFormat)9 });

        void Refused(string what, ElasticScoringEstimator.Options options) => Assert.Contains(what,
            Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Transforms.ElasticScoring(options)).Message);
    }

    [TestMethod]
    [DataRow(WeightFormat.Int8)]
    [DataRow(WeightFormat.Int4)]
    public void TuningLaterChainsLeavesTheQuantisedBaseWhatItIs(WeightFormat format)
    {
        using var model = Quantized(format, null);
        using var source = _mlContext.Scorer(model);
        var before = source.WithChainCount(1).Score(_mlContext, TextModels.Texts);
        using var tuned = _mlContext.Tune(Tuning.Steps(source));
        CollectionAssert.AreEqual(new WeightFormat?[] { format, null }, tuned.Model.Config.WeightFormats.ToArray());
        foreach (var ((name, own), (_, shared)) in model.ChainParameters().Zip(tuned.Model.ChainParameters()))
        {
            if (ParameterName.Parse(name).Chain == 0)
                Assert.IsTrue(Tuning.ShareMemory(own, shared), name);
        }
        using var language = _mlContext.Scorer(tuned.Model);
        using var one = language.WithChainCount(1);
        CollectionAssert.AreEqual(before, one.Score(_mlContext, TextModels.Texts));
        Assert.IsGreaterThan(0, TensorAssert.MaxDifference(
            model.Layers[0].FeedForward.Up.Weight(1), tuned.Model.Layers[0].FeedForward.Up.Weight(1)));
    }

    [TestMethod]
    public void AQuantisedModelGrowsByChainsThatAreTrained()
    {
        using var model = Quantized(WeightFormat.Int8, WeightFormat.Int4);
        var options = Expansion.Grow(model, steps: 2, 2);
        options.KvSharing = false;
        using var grown = _mlContext.Fit(options);
        Assert.AreEqual(new ChainLayout(4, 2, 2), grown.Model.Config.Layout);
        CollectionAssert.AreEqual(
            new WeightFormat?[] { WeightFormat.Int8, WeightFormat.Int4, null }, grown.Model.Config.WeightFormats.ToArray());
        ModelAssert.SameWeights(grown.Model, model);
        using var two = grown.WithChainCount(2);
        using var source = _mlContext.Scorer(model);
        CollectionAssert.AreEqual(source.Score(_mlContext, TextModels.Texts), two.Score(_mlContext, TextModels.Texts));
        Assert.IsGreaterThan(0, grown.Model.Head.Weight(2).abs().max().item<float>());
    }

    [TestMethod]
    public void QuantisedChainsAreTunedByAdapters()
    {
        using var folder = new TemporaryFolder();
        using var model = Quantized(WeightFormat.Int8, WeightFormat.Int4);
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps: 6);
        options.Lora = new LoraOptions { Rank = 2 };
        using var tuned = _mlContext.Tune(options);
        foreach (var ((name, own), (_, shared)) in model.ChainParameters().Zip(tuned.Model.ChainParameters()))
            Assert.IsTrue(Tuning.ShareMemory(own, shared), name);
        var scores = _mlContext.Predict(tuned, Tuning.Data).Scores();
        _mlContext.Model.Save(tuned, null, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)_mlContext.Model.Load(folder["model.zip"], out _);
        CollectionAssert.AreEqual(scores, _mlContext.Predict(loaded, Tuning.Data).Scores());
        // Merged, the adapted chain's weights are numbers.
        using var merged = tuned.Model.MergeAdapters();
        CollectionAssert.AreEqual(new WeightFormat?[] { WeightFormat.Int8, null }, merged.Config.WeightFormats.ToArray());
        tuned.Model.Save(folder["model"]);
        using var ofFolder = CoLMModel.Load(folder["model"]);
        ModelAssert.SameWeights(merged, ofFolder);
    }

    [TestMethod]
    public void AdaptersLearnThroughQuantisedChainsWhatTheyLearnThroughTheirNumbers()
    {
        using var model = Quantized(WeightFormat.Int8, WeightFormat.Int8);
        using var numbers = model.Share(0);
        float[][] learnt = [.. new[] { model, numbers }.Select(start =>
        {
            using var source = _mlContext.Scorer(start);
            var options = Tuning.Steps(source, steps: 3);
            options.FrozenChains = 0;
            options.Lora = new LoraOptions { Rank = 2 };
            using var tuned = _mlContext.Tune(options);
            return _mlContext.Predict(tuned, Tuning.Data).Scores();
        })];
        for (var i = 0; i < learnt[0].Length; i++)
            Assert.AreEqual(learnt[1][i], learnt[0][i], 1e-3f);
    }

    [TestMethod]
    public void WhatIsQuantisedIsNotTrained()
    {
        using var model = Quantized(null, WeightFormat.Int4);
        using var source = _mlContext.Scorer(model);
        var error = Refused(Tuning.Steps(source));
        Assert.Contains("Chain 2", error);
        Assert.Contains("(Int4)", error);
        Assert.Contains("Lora", error);
        var options = Tuning.Steps(source);
        options.Task = TuningTask.LanguageHeads;
        Assert.Contains("LanguageHeads trains the heads of all chains", Refused(options, _mlContext.Rows(TextModels.Texts)));

        string Refused(ChainTuningEstimator.Options options, IDataView? rows = null) =>
            Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Tune(options, rows)).Message;
    }

    private static CoLMModel Quantized(params WeightFormat?[] formats)
    {
        using var source = TextModels.Random(4, 2);
        return source.Quantize(formats);
    }
}
