using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>The elastic switch on whole pipelines.</summary>
[TestClass, DoNotParallelize]
public sealed class ElasticChainTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow("alone")]
    [DataRow("chain")]
    [DataRow("chain in a chain")]
    [DataRow("loaded")]
    [DataRow("loaded by CoLM")]
    [DataRow("loaded with a loader")]
    public void APipelineScoresAtTheChainCountThatItIsSwitchedTo(string kind)
    {
        using var model = TextModels.Random(4, 4);
        var pipeline = Pipeline(model, kind);
        using var disposing = pipeline as IDisposable;
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var plain = _mlContext.Scorer(model, chainCount);
            var switched = pipeline.WithChainCount(chainCount);
            using var switchedDisposing = switched as IDisposable;
            Assert.AreEqual(chainCount, ElasticChain.Find(switched).ChainCount);
            Assert.AreSame(ElasticChain.Find(pipeline).Model, ElasticChain.Find(switched).Model);
            CollectionAssert.AreEqual(
                plain.Score(_mlContext, TextModels.Texts), switched.Score(_mlContext, TextModels.Texts));
        }
    }

    [TestMethod]
    public void APipelineBecomesACascadeAndEndsOne()
    {
        using var model = TextModels.Random(4, 4);
        using var pipeline = Pipeline(model, "chain in a chain") as IDisposable;
        var cascade = new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [double.PositiveInfinity] };
        var cascading = ((ITransformer)pipeline!).WithCascade(cascade);
        using var cascadingDisposing = cascading as IDisposable;
        var scored = cascading.Transform(_mlContext.Rows(TextModels.Texts));
        Assert.IsTrue(scored.GetColumn<int>("ChainsUsed").All(used => used == 1));
        var plain = cascading.WithChainCount(2);
        using var plainDisposing = plain as IDisposable;
        Assert.IsNull(plain.GetOutputSchema(_mlContext.Rows("a").Schema).GetColumnOrNull("ChainsUsed"));
    }

    [TestMethod]
    public void WhatIsSwitchedIsAChainOfTheSameTypeAndScopes()
    {
        using var model = TextModels.Random(4, 4);
        using var chain = new TransformerChain<ElasticScoringTransformer>(
            [Copying("Story", "Text"), _mlContext.Scorer(model)],
            [TransformerScope.Training, TransformerScope.Everything]);
        using var switched = (TransformerChain<ElasticScoringTransformer>)chain.WithChainCount(1);
        Assert.AreEqual(1, switched.LastTransformer.ChainCount);
        Assert.AreSame(chain.First(), switched.First());
        Assert.HasCount(1, switched.GetModelFor(TransformerScope.Scoring));
        Assert.HasCount(2, switched.GetModelFor(TransformerScope.Training));
    }

    [TestMethod]
    public void AnEngineReadsASwitchedPipeline()
    {
        using var model = TextModels.Random(4, 4);
        var pipeline = Pipeline(model, "chain in a chain");
        using var disposing = pipeline as IDisposable;
        using var plain = _mlContext.Scorer(model, chainCount: 1);
        var switched = pipeline.WithChainCount(1);
        using var engine = _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(switched);
        Scoring.AreClose(plain.Score(_mlContext, TextModels.Texts),
            [.. TextModels.Texts.Select(text => engine.Predict(new TextRow { Text = text }))]);
        var rows = _mlContext.Rows("a");
        CollectionAssert.AreEqual(switched.Transform(rows).Schema.Select(column => column.ToString()).ToArray(),
            switched.GetOutputSchema(rows.Schema).Select(column => column.ToString()).ToArray());
    }

    [TestMethod]
    public void AZipKeepsASwitchedPipelineWithoutAnythingAroundIt()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        using var owned = new TransformerChain<ITransformer>(
            Foreign.Of(Copying("Story", "Text")).Transformer, _mlContext.Scorer(model),
            Foreign.Of(Copying("Copied", "LogProbability")).Transformer);
        var rows = _mlContext.Rows(TextModels.Texts);
        using var switched = (TransformerChain<ITransformer>)owned.WithChainCount(1);
        _mlContext.Model.Save(switched, rows.Schema, folder["model.zip"]);
        using var loaded = (TransformerChain<ITransformer>)new MLContext().Model.Load(folder["model.zip"], out _);
        Assert.AreEqual(1, ElasticChain.Find(loaded).ChainCount);
        CollectionAssert.AreEqual(switched.Score(_mlContext, TextModels.Texts), loaded.Score(_mlContext, TextModels.Texts));
        CollectionAssert.AreEqual(
            new[] { "ColumnCopyingTransformer", "ElasticScoringTransformer", "ColumnCopyingTransformer" },
            loaded.Select(transformer => transformer.GetType().Name).ToArray());
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void WeightsGoWithTheLastPipelineInAnyOrder(bool isSwitchedFirst)
    {
        using var folder = new TemporaryFolder();
        using (var saved = TextModels.Random(4, 4))
            saved.Save(folder["model"]);
        var rows = _mlContext.Rows(TextModels.Texts);
        var pipeline = _mlContext.Transforms.CopyColumns("Story", "Text")
            .Append(_mlContext.Transforms.ElasticScoring(folder["model"])).Fit(rows);
        var switched = pipeline.WithChainCount(1);
        var (first, last) = isSwitchedFirst
            ? ((IDisposable)switched, (ITransformer)pipeline) : (pipeline, switched);
        var expected = last.Score(_mlContext, TextModels.Texts);
        var weights = pipeline.LastTransformer.Model.parameters().ToArray();
        first.Dispose();
        first.Dispose();
        CollectionAssert.AreEqual(expected, last.Score(_mlContext, TextModels.Texts));
        var again = last.WithChainCount(2);
        Assert.ThrowsExactly<ObjectDisposedException>(() => ((ITransformer)first).WithChainCount(2));
        ((IDisposable)last).Dispose();
        Assert.HasCount(TextModels.Texts.Length, again.Score(_mlContext, TextModels.Texts));
        Assert.IsTrue(Array.TrueForAll(weights, weight => !weight.IsInvalid));
        ((IDisposable)again).Dispose();
        Assert.IsTrue(Array.TrueForAll(weights, weight => weight.IsInvalid));
    }

    [TestMethod]
    public void OtherTransformersAreDisposedWithTheirOwnPipelineAlone()
    {
        using var model = TextModels.Random(4, 4);
        Foreign[] others = [Foreign.Of(Copying("Story", "Text")), Foreign.Of(Copying("Copied", "LogProbability"))];
        var inner = new TransformerChain<ITransformer>(others[0].Transformer, _mlContext.Scorer(model));
        var pipeline = new TransformerChain<ITransformer>(inner, others[1].Transformer);
        var switched = pipeline.WithChainCount(1);
        var again = switched.WithChainCount(2);
        ((IDisposable)switched).Dispose();
        ((IDisposable)again).Dispose();
        Assert.AreEqual(0, others.Sum(other => other.Disposals));
        Assert.HasCount(TextModels.Texts.Length, pipeline.Score(_mlContext, TextModels.Texts));
        pipeline.Dispose();
        Assert.IsTrue(Array.TrueForAll(others, other => other.Disposals == 1));
    }

    [TestMethod]
    public void APipelineWithNoneOrTwoIsRefusedByWhatItHolds()
    {
        using var model = TextModels.Random(4, 4);
        using var two = new TransformerChain<ITransformer>(
            _mlContext.Scorer(model), new TransformerChain<ITransformer>(
                Foreign.Of(Copying("A", "Text")).Transformer, _mlContext.Scorer(model)));
        foreach (var (pipeline, named) in ((ITransformer, string[])[])[
            (two, ["exactly one ElasticScoringTransformer", "found 2", "ElasticScoringTransformer, generatedProxy_1, ElasticScoringTransformer"]),
            (Copying("A", "Text"), ["found 0", "ColumnCopyingTransformer"]),
            (new TransformerChain<ITransformer>(), ["found 0", "no transformer"]),
            (Trained(), ["found 0", "ColumnConcatenatingTransformer, RegressionPredictionTransformer"])])
        {
            foreach (var action in (Action[])[
                () => pipeline.WithChainCount(1),
                () => pipeline.WithCascade(new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [1] })])
            {
                var error = Assert.ThrowsExactly<ArgumentException>(action);
                foreach (var part in named)
                    Assert.Contains(part, error.Message);
            }
        }
        Assert.ThrowsExactly<ArgumentNullException>(() => ((ITransformer)null!).WithChainCount(1));
        Assert.ThrowsExactly<ArgumentNullException>(() => two.WithCascade(null!));
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(3)]
    public void AChainCountThatTheModelDoesNotHaveIsRefusedAsByTheTransformer(int chainCount)
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = _mlContext.Scorer(model);
        using var pipeline = new TransformerChain<ITransformer>(Copying("Story", "Text"), _mlContext.Scorer(model));
        Assert.AreEqual(
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => transformer.WithChainCount(chainCount)).Message,
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => pipeline.WithChainCount(chainCount)).Message);
        Assert.ThrowsExactly<ArgumentException>(
            () => pipeline.WithCascade(new CascadeOptions { ChainCounts = [1, 3], MaximumLosses = [1] }));
    }

    [TestMethod]
    public void FeaturesOfAnotherSizeAreRefusedBeforeTheirTrainerReadsThem()
    {
        using var folder = new TemporaryFolder();
        using (var saved = TextModels.Random(4, 4))
            saved.Save(folder["model"]);
        var rows = _mlContext.Labelled();
        var scoring = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            ModelFolder = folder["model"],
            Task = ScoringTask.Features,
        });
        using var fitted = scoring.AppendCacheCheckpoint(_mlContext)
            .Append(_mlContext.Regression.Trainers.Sdca("Degrees", maximumNumberOfIterations: 1)).Fit(rows);
        var error = Assert.ThrowsExactly<ArgumentException>(() => fitted.WithChainCount(1));
        foreach (var part in (string[])["ChainCount 1", "'Features'", "16", "32", "RegressionPredictionTransformer", "fit"])
            Assert.Contains(part, error.Message);

        // The trainer's model, which has nothing to free, is still what explainers look for.
        using var same = (IDisposable)fitted.WithChainCount(2);
        Assert.AreSame(fitted.LastTransformer, ((TransformerChain<RegressionPredictionTransformer<
            Trainers.LinearRegressionModelParameters>>)same).LastTransformer);
        var weights = ElasticChain.Find(fitted).Model.parameters().ToArray();
        fitted.Dispose();
        Assert.IsTrue(Array.TrueForAll(weights, weight => !weight.IsInvalid));
        same.Dispose();
        Assert.IsTrue(Array.TrueForAll(weights, weight => weight.IsInvalid), "What was refused counts as no user.");
    }

    private ITransformer Pipeline(CoLMModel model, string kind)
    {
        var scorer = _mlContext.Scorer(model);
        if (kind == "alone")
            return scorer;
        var chain = new TransformerChain<ITransformer>(
            Copying("Story", "Text"), scorer, Foreign.Of(Copying("Copied", "LogProbability")).Transformer);
        if (kind == "chain")
            return chain;
        var nested = new TransformerChain<TransformerChain<ITransformer>>(Copying("Again", "Text"), chain);
        if (kind == "chain in a chain")
            return nested;
        using var folder = new TemporaryFolder();
        using var disposing = nested;
        var rows = _mlContext.Rows("text");
        if (kind != "loaded with a loader")
        {
            _mlContext.Model.Save(nested, rows.Schema, folder["model.zip"]);
            return kind == "loaded"
                ? _mlContext.Model.Load(folder["model.zip"], out _) : _mlContext.CoLM().Load(folder["model.zip"], out _);
        }
        var loader = _mlContext.Data.CreateTextLoader([new("Text", DataKind.String, 0)]);
        _mlContext.Model.Save(nested, loader, folder["model.zip"]);
        return _mlContext.Model.LoadWithDataLoader(folder["model.zip"], out _);
    }

    private ITransformer Copying(string output, string input)
    {
        var rows = input == "Text" ? _mlContext.Rows("text")
            : _mlContext.Data.LoadFromEnumerable([new ScoredRow()]);
        return _mlContext.Transforms.CopyColumns(output, input).Fit(rows);
    }

    private TransformerChain<RegressionPredictionTransformer<Trainers.LinearRegressionModelParameters>> Trained() =>
        _mlContext.Transforms.Concatenate("Features", "Degrees")
            .Append(_mlContext.Regression.Trainers.Sdca("Degrees", maximumNumberOfIterations: 1)).Fit(_mlContext.Labelled());
}
