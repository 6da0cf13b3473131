using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class SharedWeightsTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void TransformersOfOtherChainCountsShareTheModel()
    {
        using var owned = Owned();
        using var one = owned.Transformer.WithChainCount(1);
        using var again = one.WithChainCount(2);
        Assert.AreSame(owned.Transformer.Model, one.Model);
        Assert.AreSame(owned.Transformer.Model, again.Model);
        Assert.AreSame(owned.Transformer.Tokenizer, one.Tokenizer);
        Assert.AreEqual((2, 1, 2), (owned.Transformer.ChainCount, one.ChainCount, again.ChainCount));
        CollectionAssert.AreEqual(
            owned.Transformer.Score(_mlContext, TextModels.Texts), again.Score(_mlContext, TextModels.Texts));
        CollectionAssert.AreNotEqual(
            one.Score(_mlContext, TextModels.Texts), again.Score(_mlContext, TextModels.Texts));
    }

    [TestMethod]
    public void TransformersOutliveTheScopeTheyAreMadeIn()
    {
        using var folder = new TemporaryFolder();
        ElasticScoringTransformer[] made;
        using (TorchSharp.torch.NewDisposeScope())
        {
            var fitted = _mlContext.Fit(Expansion.FromNothing(2, 4));
            fitted.Model.Save(folder["model"]);
            var bfloat16 = Expansion.Grow(fitted.Model, 1, 4);
            bfloat16.DataType = TorchSharp.torch.ScalarType.BFloat16;
            _mlContext.Model.Save(fitted, null, folder["model.zip"]);
            made =
            [
                fitted, _mlContext.Fit(bfloat16), (ElasticScoringTransformer)_mlContext.Model.Load(folder["model.zip"], out _),
                _mlContext.Transforms.ElasticScoring(folder["model"]).Fit(_mlContext.Rows("text")),
            ];
            Assert.IsTrue(float.IsFinite(fitted.Score(_mlContext, "text")[0].LogProbability));
        }
        foreach (var transformer in made)
        {
            Assert.IsTrue(float.IsFinite(transformer.Score(_mlContext, "text")[0].LogProbability));
            transformer.Dispose();
        }
    }

    [TestMethod]
    public void OtherSettingsStayWhenTheChainCountChanges()
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = model,
            PerplexityColumnName = "P",
        }).Fit(_mlContext.Rows("text"));
        using var one = transformer.WithChainCount(1);
        Assert.IsNotNull(one.GetOutputSchema(_mlContext.Rows("text").Schema).GetColumnOrNull("P"));
    }

    [TestMethod]
    public void TheModelIsDisposedWithTheLastOfItsTransformers()
    {
        using var owned = Owned();
        var (two, model) = (owned.Transformer, owned.Transformer.Model);
        var one = two.WithChainCount(1);
        var expected = one.Score(_mlContext, TextModels.Texts);
        two.Dispose();
        two.Dispose(); // a second call does not count
        CollectionAssert.AreEqual(expected, one.Score(_mlContext, TextModels.Texts));
        using var third = one.WithChainCount(1);
        one.Dispose();
        CollectionAssert.AreEqual(expected, third.Score(_mlContext, TextModels.Texts));
        third.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.ParameterCount(1));
    }

    [TestMethod]
    public void DisposingTheLastTransformerFreesTheWeights()
    {
        using var owned = Owned();
        var weights = owned.Transformer.Model.parameters().ToArray();
        using (owned.Transformer.WithChainCount(1))
        {
            owned.Transformer.Dispose();
            Assert.IsTrue(Array.TrueForAll(weights, weight => !weight.IsInvalid));
        }
        Assert.IsTrue(Array.TrueForAll(weights, weight => weight.IsInvalid));
    }

    [TestMethod]
    public void AModelInMemoryStaysTheCallers()
    {
        using var model = TextModels.Random(4, 4);
        var estimator = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = model });
        var transformer = estimator.Fit(_mlContext.Rows("text"));
        Assert.AreSame(model, transformer.Model);
        var expected = transformer.Score(_mlContext, TextModels.Texts);
        transformer.WithChainCount(1).Dispose();
        transformer.Dispose();
        Assert.IsGreaterThan(0, model.ParameterCount(2));
        using var next = estimator.Fit(_mlContext.Rows("text"));
        CollectionAssert.AreEqual(expected, next.Score(_mlContext, TextModels.Texts));
    }

    [TestMethod]
    public void ADisposedTransformerIsNotUsed()
    {
        using var model = TextModels.Random(4, 4);
        var rows = _mlContext.Rows(TextModels.Texts);
        var transformer = _mlContext.Scorer(model);
        var scored = transformer.Transform(rows);
        transformer.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => transformer.Transform(rows));
        Assert.ThrowsExactly<ObjectDisposedException>(() => transformer.WithChainCount(1));
        Assert.ThrowsExactly<ObjectDisposedException>(() => _mlContext.Scores(scored));
        Assert.ThrowsExactly<ObjectDisposedException>(
            () => _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(transformer));
        Assert.ThrowsExactly<ObjectDisposedException>(
            () => _mlContext.Model.Save(transformer, rows.Schema, new MemoryStream()));
    }

    [TestMethod]
    public void ATransformerOfADisposedModelSaysSo()
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = _mlContext.Scorer(model);
        using var engine = _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(transformer);
        model.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => transformer.Score(_mlContext, "text"));
        Assert.ThrowsExactly<ObjectDisposedException>(() => engine.Predict(new TextRow { Text = "text" }));
    }

    [TestMethod]
    public void ATransformerOfADisposedModelIsNotSaved()
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = _mlContext.Scorer(model);
        model.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(
            () => _mlContext.Model.Save(transformer, _mlContext.Rows("text").Schema, new MemoryStream()));
    }

    [TestMethod]
    public void AnEngineDisposesTheTransformerThatItWasMadeFromUnlessToldOtherwise()
    {
        using var owned = Owned();
        var (two, model) = (owned.Transformer, owned.Transformer.Model);
        var options = new PredictionEngineOptions { OwnsTransformer = false };
        _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(two, options).Dispose();
        Assert.IsGreaterThan(0, model.ParameterCount(1));
        _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(two.WithChainCount(1)).Dispose();
        Assert.IsGreaterThan(0, model.ParameterCount(1));
        _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(two).Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.ParameterCount(1));
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(-1)]
    [DataRow(3)]
    public void AChainCountThatTheModelDoesNotHaveIsRefused(int chainCount)
    {
        using var owned = Owned();
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => owned.Transformer.WithChainCount(chainCount));
        Assert.Contains("chainCount", error.Message);
        Assert.Contains("{4,4}", error.Message);

        // What was refused counts as no user of the weights.
        owned.Transformer.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => owned.Transformer.Model.ParameterCount(1));
    }

    [TestMethod]
    public void AFolderThatIsRefusedLeavesNoWeightsBehind()
    {
        using var folder = new TemporaryFolder();
        using (var model = TextModels.Random(4, 4))
            model.Save(folder.Path);
        ElasticScoringTransformer Fit(int chainCount) =>
            _mlContext.Transforms.ElasticScoring(folder.Path, chainCount).Fit(_mlContext.Rows("text"));
        var afterUse = Left(() => Fit(chainCount: 2).Dispose());
        var afterRefusal = Left(
            () => Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Fit(chainCount: 3)));
        Assert.AreEqual(afterUse, afterRefusal);
    }

    // TorchSharp goes on counting the empty shell of a tensor that became a parameter, so a model that was used and
    // disposed leaves something, too.
    private static long Left(Action action)
    {
        var before = LiveTensors.CountSettled();
        action();
        return LiveTensors.Count - before;
    }

    private OwnedModel Owned() => new(_mlContext);

    /// <summary>A transformer whose model of two chains belongs to it, since it was loaded from a folder.</summary>
    private sealed class OwnedModel : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public OwnedModel(MLContext mlContext)
        {
            using (var model = TextModels.Random(4, 4))
                model.Save(_folder.Path);
            Transformer = mlContext.Transforms.ElasticScoring(_folder.Path).Fit(mlContext.Rows("text"));
        }

        public ElasticScoringTransformer Transformer { get; }

        public void Dispose()
        {
            Transformer.Dispose();
            _folder.Dispose();
        }
    }

    [TestMethod]
    public void ATransformerDisposedBetweenRowsSaysSo()
    {
        using var model = TextModels.Random(4, 4);
        using var other = _mlContext.Scorer(model);
        var transformer = _mlContext.Scorer(model, batchSize: 1);
        var scored = transformer.Transform(_mlContext.Rows("one", "two", "three"));
        using var cursor = scored.GetRowCursor(scored.Schema);
        var read = cursor.GetGetter<float>(scored.Schema["LogProbability"]);
        var value = 0f;
        Assert.IsTrue(cursor.MoveNext());
        read(ref value);
        transformer.Dispose();
        Assert.IsTrue(cursor.MoveNext());
        var error = Assert.ThrowsExactly<ObjectDisposedException>(() => read(ref value));
        Assert.Contains(nameof(ElasticScoringTransformer), error.ObjectName);
    }

    /// <summary>Threads that score, threads that make others of it, threads that dispose it: each ends well or is told.</summary>
    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void WhoeverDisposesATransformerFreesNothingThatOthersUse()
    {
        string[] texts = [TextModels.Sentence(60), "a text", TextModels.Sentence(150)];
        for (var round = 0; round < 10; round++)
        {
            using var owned = Owned();
            var (transformer, model) = (owned.Transformer, owned.Transformer.Model);
            var expected = transformer.Score(_mlContext, texts);
            using var start = new Barrier(6);
            Task[] threads = [.. Enumerable.Range(0, 6).Select(thread => Task.Factory.StartNew(() =>
            {
                start.SignalAndWait();
                try
                {
                    if (thread > 3)
                    {
                        Thread.SpinWait(20_000 * round);
                        transformer.Dispose();
                        return;
                    }
                    while (true)
                    {
                        if (thread % 2 == 0)
                        {
                            CollectionAssert.AreEqual(expected, transformer.Score(_mlContext, texts));
                            continue;
                        }
                        using var one = transformer.WithChainCount(1);
                        Assert.HasCount(1, one.Score(_mlContext, "a text"));
                    }
                }
                catch (ObjectDisposedException)
                {
                }
            }, TaskCreationOptions.LongRunning))];
            Task.WaitAll(threads);
            Assert.ThrowsExactly<ObjectDisposedException>(() => model.ParameterCount(1));
        }
    }
}
