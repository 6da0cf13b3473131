using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Weights that are numbers, but give none: no score is made of that, and no prediction.</summary>
[TestClass, DoNotParallelize]
public sealed class FiniteScoreTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(ScoringTask.LanguageModeling, false)]
    [DataRow(ScoringTask.LanguageModeling, true)]
    [DataRow(ScoringTask.Features, false)]
    public void AScoreThatIsNoNumberIsRefusedWithItsRow(ScoringTask task, bool cascades)
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = model,
            Task = task,
            Cascade = cascades ? new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [0.1] } : null,
        }).Fit(_mlContext.Rows("a"));
        Overflow(model);
        var column = task == ScoringTask.Features ? "Features" : "LogProbability";
        var scored = transformer.Transform(_mlContext.Rows("", "some text"));
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Read(scored, column));
        Assert.Contains("row 1", error.Message);
    }

    [TestMethod]
    [DataRow("Class")]
    [DataRow("IsWarm")]
    [DataRow("Degrees")]
    public void APredictionIsNotMadeOfWhatIsNoNumber(string label)
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = _mlContext.Scorer(model, 2);
        var options = Tuning.Steps(transformer);
        var rows = _mlContext.Labelled();
        if (label == "Class")
            rows = _mlContext.Keyed();
        else
            options.LabelColumnName = label;
        using var tuned = _mlContext.Tune(options, rows);
        Overflow(tuned.Model);
        Assert.ThrowsExactly<InvalidOperationException>(() => Read(tuned.Transform(rows), "Score"));
    }

    private static void Overflow(CoLMModel model)
    {
        using var noGradients = no_grad();
        using var largest = TorchSharp.ScalarExtensionMethods.ToScalar(float.MaxValue);
        _ = model.Norm.Weight(0).fill_(largest);
    }

    private static void Read(IDataView data, string column)
    {
        using var cursor = data.GetRowCursor([data.Schema[column]]);
        if (data.Schema[column].Type is Data.VectorDataViewType)
        {
            var getter = cursor.GetGetter<Data.VBuffer<float>>(data.Schema[column]);
            Data.VBuffer<float> value = default;
            while (cursor.MoveNext())
                getter(ref value);
        }
        else
        {
            var getter = cursor.GetGetter<float>(data.Schema[column]);
            float value = 0;
            while (cursor.MoveNext())
                getter(ref value);
        }
    }
}
