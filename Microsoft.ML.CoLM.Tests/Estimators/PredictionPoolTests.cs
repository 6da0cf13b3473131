using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Engines in a service: whose transformer is whose, and many threads at once.</summary>
[TestClass, DoNotParallelize]
public sealed class PredictionPoolTests
{
    private const int Threads = 8;

    private static readonly PredictionEngineOptions Lent = new() { OwnsTransformer = false };

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(4, 4);
    private readonly ElasticScoringTransformer _scorer;

    public PredictionPoolTests() => _scorer = _mlContext.Scorer(_model);

    [TestCleanup]
    public void Dispose()
    {
        _scorer.Dispose();
        _model.Dispose();
    }

    [TestMethod]
    public void AnEngineForEachRequestThatTookTheTransformerAlongIsToldHowToLeaveIt()
    {
        var chain = _mlContext.Transforms.CopyColumns("Copy", "Text").Fit(_mlContext.Rows("a")).Append(_scorer);
        using (var engine = _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(chain))
            engine.Predict(new TextRow { Text = "a" });
        foreach (var request in (Action[])[
            () => _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(chain),
            () => _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(_scorer, Lent),
            () => _mlContext.Model.CreatePredictionEnginePool<TextRow, ScoredRow>(chain),
            () => _scorer.Transform(_mlContext.Rows("a")),
            () => _scorer.WithChainCount(1)])
        {
            IsToldHowToLeaveIt(request);
        }
    }

    [TestMethod]
    public void AnEngineWhoseTransformerAnotherTookAlongIsTold()
    {
        using var scorer = _scorer.WithChainCount(1);
        using var left = _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(scorer, Lent);
        left.Predict(new TextRow { Text = "a" });
        _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(scorer).Dispose();
        IsToldHowToLeaveIt(() => left.Predict(new TextRow { Text = "a" }));
    }

    [TestMethod]
    public void RowsThatAreScoredAfterTheTransformerWasDisposedAreRefused()
    {
        using var scorer = _scorer.WithChainCount(1);
        var scored = scorer.Transform(_mlContext.Rows("a"));
        scorer.Dispose();
        IsToldHowToLeaveIt(() => _mlContext.Scores(scored));
    }

    [TestMethod]
    public void ManyThreadsGetFromAPoolWhatOneEngineGives()
    {
        ScoredRow[] expected;
        using (var engine = _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(_scorer, Lent))
            expected = Array.ConvertAll(TextModels.Texts, text => engine.Predict(new TextRow { Text = text }));
        using var pool = _mlContext.Model.CreatePredictionEnginePool<TextRow, ScoredRow>(_scorer);
        InParallel(round =>
        {
            var text = round % TextModels.Texts.Length;
            Assert.AreEqual(expected[text], pool.Predict(new TextRow { Text = TextModels.Texts[text] }));
        });
        Assert.IsInRange(1, Threads, pool.FreeEngines);

        pool.Dispose();
        Assert.AreEqual(0, pool.FreeEngines);
        Assert.ThrowsExactly<ObjectDisposedException>(() => pool.Predict(new TextRow { Text = "a" }));
        Assert.HasCount(1, _scorer.Score(_mlContext, "a"), "The transformer stays the caller's.");
    }

    [TestMethod]
    public void APoolThatIsDisposedMeanwhileKeepsNoEngine()
    {
        var pool = _mlContext.Model.CreatePredictionEnginePool<TextRow, ScoredRow>(_scorer);
        using var began = new CountdownEvent(Threads);
        var threads = Enumerable.Range(0, Threads).Select(_ => new Thread(() =>
        {
            try
            {
                for (var row = 0; row < 10_000; row++)
                {
                    pool.Predict(new TextRow { Text = "a" });
                    if (row == 0)
                        began.Signal();
                }
            }
            catch (ObjectDisposedException)
            {
            }
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        began.Wait();
        pool.Dispose();
        Array.ForEach(threads, thread => thread.Join());
        Assert.AreEqual(0, pool.FreeEngines);
    }

    [TestMethod]
    public void ARequestThatFailsTakesItsEngineWithIt()
    {
        using var pool = _mlContext.Model.CreatePredictionEnginePool<TextRow, ScoredRow>(_scorer);
        Assert.Throws<ArgumentNullException>(() => pool.Predict(null!));
        Assert.AreEqual(0, pool.FreeEngines);
        Assert.AreEqual("a", pool.Predict(new TextRow { Text = "a" }).Text);
        Assert.AreEqual(1, pool.FreeEngines);
    }

    [TestMethod]
    public void ARowThatLacksTheTextIsRefusedWhenThePoolIsMade() => Assert.Contains("'Text'", Assert.Throws<ArgumentException>(
        () => _mlContext.Model.CreatePredictionEnginePool<Prediction, ScoredRow>(_scorer)).Message);

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void ManyThreadsOfEveryKindOnOneModelGetWhatOneGets()
    {
        using var tuned = _mlContext.Tune(Tuning.Steps(_scorer, steps: 1));
        using var cascade = _scorer.WithCascade(new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [5] });
        var features = new ElasticScoringEstimator.Options { Model = _model, Task = ScoringTask.Features };
        using var vectors = _mlContext.Transforms.ElasticScoring(features).Fit(_mlContext.Rows("a"));
        var generator = new TextGenerator(_model, _scorer.Tokenizer);
        var generation = new GenerationOptions { MaxNewTokens = 6, Temperature = 0.8f, Seed = 5 };
        var rows = _mlContext.Rows(TextModels.Texts);
        Func<string>[] kinds =
        [
            () => string.Join(' ', _mlContext.Scores(_scorer.Transform(rows)).Select(row => row.LogProbability)),
            () => string.Join(' ', _mlContext.Scores(cascade.Transform(rows)).Select(row => row.LogProbability)),
            () => string.Join(' ', _mlContext.Predict(tuned).Scores()),
            () => string.Join(' ', _mlContext.Data.CreateEnumerable<FeatureRow>(vectors.Transform(rows), reuseRowObject: false)
                .SelectMany(row => row.Features)),
            () => generator.Generate("The cat", generation),
            () => Engines(tuned),
        ];
        var expected = Array.ConvertAll(kinds, kind => kind());
        InParallel(round => Assert.AreEqual(expected[round % kinds.Length], kinds[round % kinds.Length]()));

        string Engines(ITransformer transformer)
        {
            using var engine = _mlContext.Model.CreatePredictionEngine<LabelledRow, Prediction>(transformer, Lent);
            return string.Join(' ', Tuning.Data.SelectMany(row => engine.Predict(row).Score));
        }
    }

    private static void IsToldHowToLeaveIt(Action action)
    {
        var error = Assert.ThrowsExactly<ObjectDisposedException>(action);
        foreach (var part in (string[])["OwnsTransformer = false", "CreatePredictionEnginePool"])
            Assert.Contains(part, error.Message);
        Assert.AreEqual(typeof(ElasticScoringTransformer).FullName, error.ObjectName);
    }

    private static void InParallel(Action<int> round)
    {
        var failures = new System.Collections.Concurrent.ConcurrentQueue<Exception>();
        var threads = Enumerable.Range(0, Threads).Select(thread => new Thread(() =>
        {
            try
            {
                for (var i = 0; i < 12; i++)
                    round(thread + i);
            }
            catch (Exception e)
            {
                failures.Enqueue(e);
            }
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        if (!failures.IsEmpty)
            throw new AggregateException(failures);
    }
}
