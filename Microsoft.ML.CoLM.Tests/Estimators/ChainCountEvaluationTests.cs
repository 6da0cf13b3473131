using System.Reflection;
using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class ChainCountEvaluationTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(true, null, null)]
    [DataRow(false, null, null)]
    [DataRow(true, 16, 4)]
    [DataRow(true, 16, 16)]
    [DataRow(false, null, TextModels.ContextLength)]
    public void EveryChainCountIsAsScoredAlone(bool kvSharing, int? window, int? stride)
    {
        using var model = TextModels.Random(TextModels.Config(4, 2, 4) with { KvSharing = kvSharing });
        using var transformer = Fit(model, options => (options.Window, options.Stride) = (window, stride));
        IsAsEachAlone(transformer, transformer);
    }

    [TestMethod]
    public void TheTransformersOwnChainCountOrCascadeMakesNoDifference()
    {
        using var model = TextModels.Random(4, 2, 4);
        using var all = Fit(model);
        using var one = all.WithChainCount(1);
        using var cascade = all.WithCascade(new CascadeOptions { ChainCounts = [1, 3], MaximumLosses = [2] });
        var expected = _mlContext.CoLM().EvaluateChainCounts(all, Data);
        Assert.HasCount(3, expected);
        foreach (var transformer in (ElasticScoringTransformer[])[one, cascade])
        {
            var actual = _mlContext.CoLM().EvaluateChainCounts(transformer, Data);
            Assert.HasCount(3, actual);
            for (var i = 0; i < 3; i++)
                LanguageEvaluationTests.AreEqual(expected[i], actual[i]);
        }
    }

    [TestMethod]
    public void RowsGoThroughWhatStandsBeforeTheScorerAndNotThroughWhatStandsBehind()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 2, 4);
        using var bare = Fit(model);
        var pipeline = _mlContext.Transforms.CopyColumns("Text", "Story")
            .Append(_mlContext.Transforms.DropColumns("Story"))
            .Append(_mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Transformer = bare }))
            .Append(_mlContext.Transforms.DropColumns("Text", "Perplexity"));
        var stories = _mlContext.Transforms.CopyColumns("Story", "Text").Append(_mlContext.Transforms.DropColumns("Text"))
            .Fit(Data).Transform(Data);
        using var chain = pipeline.Fit(stories);
        _mlContext.CoLM().Save(chain, stories.Schema, folder["model.zip"]);
        var loaded = _mlContext.CoLM().Load(folder["model.zip"], out _);
        using var disposing = (IDisposable)loaded;
        var expected = _mlContext.CoLM().EvaluateChainCounts(bare, Data);
        foreach (var pipelined in (ITransformer[])[chain, loaded])
        {
            var actual = _mlContext.CoLM().EvaluateChainCounts(pipelined, stories);
            for (var i = 0; i < 3; i++)
                LanguageEvaluationTests.AreEqual(expected[i], actual[i]);
        }
        LanguageEvaluationTests.FailsWith(
            () => _mlContext.CoLM().EvaluateChainCounts(_mlContext.Transforms.CopyColumns("A", "Text").Fit(Data), Data),
            nameof(ElasticScoringTransformer));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    [DataRow(100)]
    public void BatchesMakeNoDifferenceBeyondRounding(int batchSize)
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = Fit(model, options => options.BatchSize = batchSize);
        IsAsEachAlone(transformer, transformer);
    }

    [TestMethod]
    public void OtherTasksAreRefusedByName()
    {
        using var model = TextModels.Random(4, 4);
        using var features = Fit(model, options => options.Task = ScoringTask.Features);
        using var source = Fit(model);
        using var tuned = _mlContext.Tune(Tuning.Steps(source, steps: 1));
        LanguageEvaluationTests.FailsWith(() => _mlContext.CoLM().EvaluateChainCounts(features, Data), "LanguageModeling", "found Features");
        LanguageEvaluationTests.FailsWith(
            () => _mlContext.CoLM().EvaluateChainCounts(tuned, Data), "found MulticlassClassification");
    }

    [TestMethod]
    public void RowsWithoutATokenOrWithoutTheColumnAreRefused()
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = Fit(model);
        LanguageEvaluationTests.FailsWith(
            () => _mlContext.CoLM().EvaluateChainCounts(transformer, _mlContext.Rows("", null)),
            "The data has no row with a token to score in column 'Text'");
        LanguageEvaluationTests.FailsWith(
            () => _mlContext.CoLM().EvaluateChainCounts(transformer, _mlContext.Data.LoadFromEnumerable(new[] { new { Story = "a" } })),
            "no text column 'Text'", "'Story'");
        Assert.ThrowsExactly<ArgumentNullException>(() => _mlContext.CoLM().EvaluateChainCounts(transformer, null!));
        Assert.ThrowsExactly<ArgumentNullException>(() => _mlContext.CoLM().EvaluateChainCounts(null!, Data));
    }

    [TestMethod]
    public void ADisposedTransformerAndACancelledContextEndIt()
    {
        using var model = TextModels.Random(4, 4);
        var gone = Fit(model);
        gone.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => _mlContext.CoLM().EvaluateChainCounts(gone, Data));

        using var transformer = Fit(model);
        var other = new MLContext();
        Cancel(other);
        Assert.Throws<OperationCanceledException>(() => other.CoLM().EvaluateChainCounts(transformer, Data));
        Assert.Throws<OperationCanceledException>(() => other.CoLM().EvaluateLanguageModel(transformer.Transform(Data)));
        Cancel(_mlContext);
        Assert.Throws<OperationCanceledException>(() => _mlContext.CoLM().EvaluateChainCounts(transformer, Data));
    }

    [TestMethod]
    public void ScoresThatAreNoNumbersAreRefusedWithTheirChainCount()
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = Fit(model);
        using (TorchSharp.torch.no_grad())
            model.Head.HeadWeight(1).Numbers!.fill_(float.NaN);
        var error = Assert.ThrowsExactly<InvalidOperationException>(
            () => _mlContext.CoLM().EvaluateChainCounts(transformer, _mlContext.Rows("", "a text")));
        Assert.Contains("row 1, counted from 0, is not a finite number at chain count 2", error.Message);
    }

    [TestMethod]
    public void NothingIsLeftBehind()
    {
        using var model = TextModels.Random(4, 2, 4);
        using var transformer = Fit(model);
        _mlContext.CoLM().EvaluateChainCounts(transformer, Data);
        var before = LiveTensors.CountSettled();
        _mlContext.CoLM().EvaluateChainCounts(transformer, Data);
        Assert.AreEqual(before, LiveTensors.Count);
    }

    private IDataView Data => field ??= _mlContext.Rows(TextModels.Texts);

    private ElasticScoringTransformer Fit(CoLMModel model, Action<ElasticScoringEstimator.Options>? change = null)
    {
        var options = new ElasticScoringEstimator.Options { Model = model };
        change?.Invoke(options);
        return _mlContext.Transforms.ElasticScoring(options).Fit(Data);
    }

    private void IsAsEachAlone(ITransformer model, ElasticScoringTransformer scorer)
    {
        var metrics = _mlContext.CoLM().EvaluateChainCounts(model, Data);
        Assert.HasCount(scorer.Model.Config.Layout.ChainCount, metrics);
        for (var chainCount = 1; chainCount <= metrics.Count; chainCount++)
        {
            using var alone = scorer.WithChainCount(chainCount);
            LanguageEvaluationTests.AreClose(
                _mlContext.CoLM().EvaluateLanguageModel(alone.Transform(Data)), metrics[chainCount - 1]);
        }
    }

    // As ML.NET's own experiments do.
    private static void Cancel(MLContext mlContext) => typeof(MLContext)
        .GetMethod("CancelExecution", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)!
        .Invoke(mlContext, null);
}
