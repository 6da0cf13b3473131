using System.Collections.Concurrent;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>A tuned transformer reads no more of a text than it was tuned on, and says of how many rows.</summary>
[TestClass, DoNotParallelize]
public sealed class CutRowsTests
{
    private const int Length = 16;

    private static readonly PredictionEngineOptions Lent = new() { OwnsTransformer = false };

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly ConcurrentQueue<string> _warnings = [];
    private readonly CoLMModel _model = TextModels.Random(4, 4);
    private readonly ElasticScoringTransformer _source;

    public CutRowsTests()
    {
        _source = _mlContext.Scorer(_model);
        _mlContext.Log += (_, message) =>
        {
            if (message.Kind == ChannelMessageKind.Warning)
                _warnings.Enqueue(message.RawMessage);
        };
    }

    [TestCleanup]
    public void Dispose()
    {
        _source.Dispose();
        _model.Dispose();
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void APassOverRowsSaysOnceHowManyItCut(bool isCascade)
    {
        using var tuned = Tuned();
        using var cascade = tuned.WithCascade(new CascadeOptions { ChainCounts = [1, 2], MinimumMargins = [0.5] });
        _mlContext.Predict(isCascade ? cascade : tuned, Texts(15, 16, 300, 3, 40));
        Assert.AreEqual("3 rows of column 'Text' have more than 16 tokens, which is the tuning's SequenceLength or the " +
            "model's context, and are cut to so many.", Assert.ContainsSingle(_warnings));

        _mlContext.Predict(tuned, Texts(15, 3, 1));
        Assert.HasCount(1, _warnings);
    }

    [TestMethod]
    public void BatchesAreCountedTogether()
    {
        using var tuned = Tuned();
        _mlContext.Predict(tuned, Texts([.. Enumerable.Range(10, 200)]));
        Assert.StartsWith("194 rows", Assert.ContainsSingle(_warnings));
    }

    [TestMethod]
    public void OfAPairTheTokensOfBothCount()
    {
        using var tuned = Tuned(options => options.SecondTextColumnName = "Second");
        _mlContext.Predict(tuned, [new() { Text = "12345678", Second = "1234567" }, new() { Text = "1234567", Second = "123456" }]);
        Assert.StartsWith("1 rows of column 'Text', 'Second' have", Assert.ContainsSingle(_warnings));
    }

    [TestMethod]
    public void AnEngineSaysSoWithTheFirstRowAndEveryDoubling()
    {
        using var tuned = Tuned();
        using var engine = _mlContext.Model.CreatePredictionEngine<LabelledRow, Prediction>(tuned, Lent);
        engine.Predict(Texts(15)[0]);
        Assert.IsEmpty(_warnings);
        for (var row = 0; row < 9; row++)
            engine.Predict(Texts(16)[0]);
        CollectionAssert.AreEqual(
            (string[])["1", "2", "4", "8"], _warnings.Select(warning => warning.Split(' ')[0]).ToArray());
        Assert.EndsWith("so far.", _warnings.First());
    }

    [TestMethod]
    public void LongTextsThatAreReadInWindowsAreNotWarnedOf()
    {
        var text = TextModels.Sentence(500);
        _source.Score(_mlContext, text);
        var options = new ElasticScoringEstimator.Options { Model = _model, Task = ScoringTask.Features };
        using var features = _mlContext.Transforms.ElasticScoring(options).Fit(_mlContext.Rows("a"));
        Assert.HasCount(1, _mlContext.Data.CreateEnumerable<FeatureRow>(
            features.Transform(_mlContext.Rows(text)), reuseRowObject: false).ToArray());
        Assert.IsEmpty(_warnings);
    }

    private static LabelledRow[] Texts(params int[] lengths) =>
        Array.ConvertAll(lengths, length => new LabelledRow { Text = TextModels.Sentence(length) });

    /// <summary>Tunes on texts that all fit; a text of 15 bytes has 16 tokens.</summary>
    private ElasticScoringTransformer Tuned(Action<ChainTuningEstimator.Options>? change = null)
    {
        var options = Tuning.Steps(_source, steps: 1);
        options.SequenceLength = Length;
        change?.Invoke(options);
        var rows = Tuning.Data.Select(row => row with { Text = row.Text![..4], Second = row.Second![..5] });
        return _mlContext.Tune(options, _mlContext.Keyed([.. rows]));
    }
}
