using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Cascades of tuned classifiers.</summary>
[TestClass, DoNotParallelize]
public sealed class ClassificationCascadeTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow("Label", FeaturePooling.LastToken)]
    [DataRow("IsWarm", FeaturePooling.LastToken)]
    [DataRow("Label", FeaturePooling.Mean)]
    public void ARowHasThePredictionOfTheChainCountThatItSaysItUsed(string label, FeaturePooling pooling)
    {
        using var tuned = Tuned(label, pooling);
        using var one = tuned.WithChainCount(1);
        var rows = _mlContext.Keyed();
        var margins = Scores(one, rows, label).Select(Margin).ToArray();
        var threshold = (margins.Order().ElementAt(5) + margins.Order().ElementAt(6)) / 2;
        using var cascade = tuned.WithCascade(new CascadeOptions { ChainCounts = [1, 2], MinimumMargins = [threshold] });
        Assert.AreSame(tuned.Model, cascade.Model);
        var used = cascade.Transform(rows).GetColumn<int>("ChainsUsed").ToArray();
        CollectionAssert.AreEqual(margins.Select(margin => margin >= threshold ? 1 : 2).ToArray(), used);
        Assert.AreEqual(6, used.Count(count => count == 1));
        AreClose(Scores(one, rows, label), Scores(tuned, rows, label), Scores(cascade, rows, label), used);

        using var folder = new TemporaryFolder();
        _mlContext.Model.Save(cascade, rows.Schema, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)new MLContext().Model.Load(folder["model.zip"], out _);
        CollectionAssert.AreEqual(used, loaded.Transform(rows).GetColumn<int>("ChainsUsed").ToArray());
        Assert.AreEqual(string.Join(' ', Scores(cascade, rows, label).SelectMany(scores => scores)),
            string.Join(' ', Scores(loaded, rows, label).SelectMany(scores => scores)));
    }

    [TestMethod]
    [DataRow(0.0, 1)]
    [DataRow(1.5, 2)]
    public void AThresholdMayStopAllRowsOrNone(double threshold, int chainCount)
    {
        using var tuned = Tuned("Label");
        using var cascade = tuned.WithCascade(new CascadeOptions { ChainCounts = [1, 2], MinimumMargins = [threshold] });
        var used = cascade.Transform(_mlContext.Keyed()).GetColumn<int>("ChainsUsed");
        Assert.IsTrue(used.All(count => count == chainCount));
        Assert.IsNotNull(_mlContext.Evaluate(cascade));
    }

    [TestMethod]
    public void AChainCountOfItsOwnEndsTheCascade()
    {
        using var tuned = Tuned("Label");
        using var cascade = tuned.WithCascade(new CascadeOptions { ChainCounts = [1, 2], MinimumMargins = [0.5] });
        using var plain = cascade.WithChainCount(2);
        Assert.IsNull(plain.GetOutputSchema(_mlContext.Keyed().Schema).GetColumnOrNull("ChainsUsed"));
        CollectionAssert.AreEqual(_mlContext.Predict(tuned).Scores(), _mlContext.Predict(plain).Scores());
    }

    [TestMethod]
    public void WrongCascadesAreRefused()
    {
        using var tuned = Tuned("Label");
        foreach (var (counts, thresholds, named) in ((int[], double[], string)[])[
            ([], [], "ChainCounts"), ([2, 1], [1], "ChainCounts"), ([1, 3], [1], "{4,4}"), ([1, 2], [], "MinimumMargins"),
            ([1, 2], [double.NaN], "MinimumMargins")])
        {
            Assert.Contains(named, Assert.Throws<ArgumentException>(() => tuned.WithCascade(
                new CascadeOptions { ChainCounts = counts, MinimumMargins = thresholds })).Message);
        }
        Assert.ThrowsExactly<ArgumentNullException>(() => tuned.WithCascade(null!));
        using var number = Tuned("Degrees");
        Assert.Contains("Regression", Assert.ThrowsExactly<NotSupportedException>(() => number.WithCascade(
            new CascadeOptions { ChainCounts = [1, 2], MinimumMargins = [1] })).Message);
    }

    private ElasticScoringTransformer Tuned(string label, FeaturePooling pooling = FeaturePooling.LastToken)
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps: 5);
        (options.LabelColumnName, options.Pooling) = (label, pooling);
        return _mlContext.Tune(options);
    }

    // Log-odds are the outputs of two classes of which the other one's is 0.
    private static double Margin(float[] scores) => scores.Length == 1
        ? Probabilities.Margin([0, scores[0]])
        : scores.OrderDescending().First() - scores.OrderDescending().ElementAt(1);

    private static float[][] Scores(ITransformer transformer, IDataView rows, string label)
    {
        var scored = transformer.Transform(rows);
        return label == "Label"
            ? [.. scored.GetColumn<float[]>("Score")]
            : [.. scored.GetColumn<float>("Score").Select(score => (float[])[score])];
    }

    private static void AreClose(float[][] one, float[][] two, float[][] actual, int[] used)
    {
        for (var i = 0; i < used.Length; i++)
        {
            var expected = used[i] == 1 ? one[i] : two[i];
            for (var slot = 0; slot < expected.Length; slot++)
                Assert.AreEqual(expected[slot], actual[i][slot], 1e-4 * Math.Max(1, Math.Abs(expected[slot])), $"row {i}");
        }
    }
}
