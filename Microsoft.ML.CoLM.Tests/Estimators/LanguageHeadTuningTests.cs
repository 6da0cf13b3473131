using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Training;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Tuning the language heads alone.</summary>
[TestClass, DoNotParallelize]
public sealed class LanguageHeadTuningTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void HeadsAloneChange(bool tied)
    {
        using var model = TextModels.Random(TextModels.Config(4, 2, 4) with { KvSharing = true, TieWordEmbeddings = tied });
        var before = TinyTraining.Values(model);
        using var source = _mlContext.Scorer(model);
        using var tuned = Tune(source, steps: 3);
        Assert.IsFalse(tuned.Model.Config.TieWordEmbeddings);
        var parameters = model.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        foreach (var (name, values) in TinyTraining.Values(tuned.Model))
        {
            var (module, chain) = ParameterName.Parse(name);
            if (module == ParameterName.Head)
            {
                var head = before[tied && chain == 0 ? "embed_tokens.chain_1" : name];
                Assert.IsFalse(head.AsSpan().SequenceEqual(values), name);
                continue;
            }
            CollectionAssert.AreEqual(before[name], values, name);
            Assert.IsTrue(Tuning.ShareMemory(parameters[name], tuned.Model.get_parameter(name)!), name);
        }
        Assert.IsEmpty(Tuning.Differences(before, model));
        Assert.AreEqual(258 * (16 + 8 + 16), tuned.Training!.TrainedParameterCount);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void WithoutAStepTheModelComputesWhatItDid(bool tied)
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { TieWordEmbeddings = tied });
        using var source = _mlContext.Scorer(model);
        using var tuned = Tune(source, steps: 0);
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var expected = source.WithChainCount(chainCount);
            using var actual = tuned.WithChainCount(chainCount);
            CollectionAssert.AreEqual(
                expected.Score(_mlContext, TextModels.Texts), actual.Score(_mlContext, TextModels.Texts));
        }
    }

    [TestMethod]
    public void AModelThatKnowsItsLastScaleAloneLearnsTheOthers()
    {
        using var fitted = _mlContext.Fit(Expansion.FromNothing(60, 4, 4));
        using var tuned = Tune(fitted, steps: 40);
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var before = fitted.WithChainCount(chainCount);
            using var after = tuned.WithChainCount(chainCount);
            var (loss, tunedLoss) = (
                before.Score(_mlContext, Expansion.Corpus).MeanLoss(), after.Score(_mlContext, Expansion.Corpus).MeanLoss());
            if (chainCount == 1)
                Assert.IsLessThan(loss - 0.3, tunedLoss);
            else
                Assert.IsLessThan(loss + 0.1, tunedLoss);
        }
    }

    [TestMethod]
    public void ItIsAScorerLikeAnyOther()
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });
        using var source = _mlContext.Scorer(model);
        var rows = _mlContext.Rows(Expansion.Corpus);
        var estimator = _mlContext.Transforms.ChainTuning(Options(source, steps: 2));
        using var tuned = estimator.Fit(rows);
        CollectionAssert.AreEqual(Shapes.Describe(Shapes.Of(tuned.Transform(rows).Schema)),
            Shapes.Describe(estimator.GetOutputSchema(Shapes.Of(rows.Schema))));
        using var folder = new TemporaryFolder();
        _mlContext.Model.Save(tuned, rows.Schema, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)new MLContext().Model.Load(folder["model.zip"], out _);
        CollectionAssert.AreEqual(
            tuned.Score(_mlContext, TextModels.Texts), loaded.Score(_mlContext, TextModels.Texts));

        // It may be grown and tuned further.
        using var grown = _mlContext.Fit(Expansion.Grow(tuned.Model, 1, 4));
        using var one = grown.WithChainCount(2);
        CollectionAssert.AreEqual(
            tuned.Score(_mlContext, TextModels.Texts), one.Score(_mlContext, TextModels.Texts));
    }

    [TestMethod]
    public void ValidationFindsTheMeanLossOfATokenAtEveryScale()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var options = Options(source, steps: 2);
        options.ValidationSet = _mlContext.Rows(TextModels.Texts);
        using var tuned = _mlContext.Transforms.ChainTuning(options).Fit(_mlContext.Rows(Expansion.Corpus));
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var scale = tuned.WithChainCount(chainCount);
            Assert.AreEqual(scale.Score(_mlContext, TextModels.Texts).MeanLoss(),
                tuned.Training!.ValidationLosses[chainCount - 1], 1e-4);
        }
    }

    [TestMethod]
    public void DataWithoutTextIsRefusedByItsColumn()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var estimator = _mlContext.Transforms.ChainTuning(Options(source, steps: 1));
        foreach (var texts in (string?[][])[[], [null, ""], ["<|begin_of_text|>"]])
        {
            Assert.Contains(
                "'Text'", Assert.Throws<ArgumentException>(() => estimator.Fit(_mlContext.Rows(texts))).Message);
        }
        var options = Options(source, steps: 1);
        options.ValidationSet = _mlContext.Rows("");
        Assert.Contains("validation", Assert.Throws<ArgumentException>(
            () => _mlContext.Transforms.ChainTuning(options).Fit(_mlContext.Rows("text"))).Message);
    }

    private static ChainTuningEstimator.Options Options(ElasticScoringTransformer source, int steps)
    {
        var options = Tuning.Steps(source, steps);
        (options.Task, options.BatchSize) = (TuningTask.LanguageHeads, 4);
        return options;
    }

    private ElasticScoringTransformer Tune(ElasticScoringTransformer source, int steps) =>
        _mlContext.Tune(Options(source, steps), _mlContext.Rows(Expansion.Corpus));
}
