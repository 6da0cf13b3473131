using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class CascadeTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(1)]
    [DataRow(5)]
    [DataRow(64)]
    public void ARowHasTheScoresOfTheChainCountThatItSaysItUsed(int batchSize)
    {
        using var model = TextModels.Random(TextModels.Config(4, 2, 4) with { KvSharing = true });
        using var transformer = Cascading(model, [1, 2, 3], batchSize);
        var rows = Rows(transformer);
        for (var chainCount = 1; chainCount <= 3; chainCount++)
        {
            using var plain = _mlContext.Scorer(model, chainCount);
            var expected = plain.Score(_mlContext, TextModels.Texts);
            int[] those = [.. Enumerable.Range(0, rows.Length).Where(i => rows[i].ChainsUsed == chainCount)];
            Assert.IsNotEmpty(those);
            Scoring.AreClose([.. those.Select(i => expected[i])], [.. those.Select(i => rows[i].Score)]);
        }
        Assert.IsTrue(rows.Where(row => row.TokenCount == 0).All(row => row.ChainsUsed == 1));
        Assert.AreEqual(3, transformer.ChainCount);
    }

    [TestMethod]
    public void RowsWhoseMeanLossIsLowStopAtTheFirstCount()
    {
        using var model = TextModels.Random(4, 4);
        using var one = _mlContext.Scorer(model, chainCount: 1);
        var losses = Losses(one);
        var sorted = losses.Where(double.IsFinite).Order().ToArray();
        var threshold = (sorted[5] + sorted[6]) / 2;
        using var transformer = Cascading(model, new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [threshold] });
        CollectionAssert.AreEqual(
            losses.Select(loss => loss > threshold ? 2 : 1).ToArray(),
            Rows(transformer).Select(row => row.ChainsUsed).ToArray());
    }

    [TestMethod]
    public void ChainsUsedIsAColumnOfCascadesAlone()
    {
        using var model = TextModels.Random(4, 4);
        using var plain = _mlContext.Scorer(model);
        var rows = _mlContext.Rows("a text");
        Assert.IsNull(plain.GetOutputSchema(rows.Schema).GetColumnOrNull("ChainsUsed"));
        using var transformer = Cascading(model, [1, 2]);
        Assert.AreEqual(NumberDataViewType.Int32, transformer.GetOutputSchema(rows.Schema)["ChainsUsed"].Type);
    }

    [TestMethod]
    public void EveryWayToTheSchemaGivesTheSame()
    {
        using var model = TextModels.Random(4, 4);
        var estimator = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = model,
            Cascade = Stopping(model, [1, 2]),
            ChainsUsedColumnName = "Used",
        });
        var rows = _mlContext.Rows("a text");
        using var transformer = estimator.Fit(rows);
        var schema = transformer.Transform(rows).Schema;
        string[] expected = ["Text", "Number", "LogProbability", "TokenCount", "Perplexity", "Used"];
        CollectionAssert.AreEqual(expected, schema.Select(column => column.Name).ToArray());
        CollectionAssert.AreEqual(
            expected, transformer.GetOutputSchema(rows.Schema).Select(column => column.Name).ToArray());
        CollectionAssert.AreEqual(
            Shapes.Describe(Shapes.Of(schema)), Shapes.Describe(estimator.GetOutputSchema(Shapes.Of(rows.Schema))));
    }

    [TestMethod]
    public void AChainCountOfItsOwnEndsTheCascade()
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = Cascading(model, [1, 2]);
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var plain = _mlContext.Scorer(model, chainCount);
            using var again = transformer.WithChainCount(chainCount);
            Assert.AreEqual(chainCount, again.ChainCount);
            Assert.IsNull(again.GetOutputSchema(_mlContext.Rows("a").Schema).GetColumnOrNull("ChainsUsed"));
            CollectionAssert.AreEqual(
                plain.Score(_mlContext, TextModels.Texts), again.Score(_mlContext, TextModels.Texts));
        }
    }

    [TestMethod]
    public void AZipKeepsTheCascade()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(TextModels.Config(4, 2, 4) with { KvSharing = true });
        using var transformer = Cascading(model, [1, 2, 3]);
        _mlContext.Model.Save(transformer, _mlContext.Rows("text").Schema, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)new MLContext().Model.Load(folder["model.zip"], out _);
        Assert.AreEqual(transformer.Settings, loaded.Settings);
        CollectionAssert.AreEqual(Rows(transformer), Rows(loaded));

        using var other = Cascading(model, new CascadeOptions { ChainCounts = [1, 2, 3], MaximumLosses = [0.1, 0.2] });
        Assert.AreNotEqual(transformer.Settings, other.Settings);
    }

    [TestMethod]
    public void AnEngineCascadesRowByRow()
    {
        using var model = TextModels.Random(4, 4);
        using var transformer = Cascading(model, [1, 2]);
        var rows = Rows(transformer);
        using var engine = _mlContext.Model.CreatePredictionEngine<TextRow, CascadeRow>(transformer);
        var predicted = TextModels.Texts.Select(text => engine.Predict(new TextRow { Text = text })).ToArray();
        CollectionAssert.AreEqual(
            rows.Select(row => row.ChainsUsed).ToArray(), predicted.Select(row => row.ChainsUsed).ToArray());
        Scoring.AreClose([.. rows.Select(row => row.Score)], [.. predicted.Select(row => row.Score)]);
    }

    [TestMethod]
    public void ACascadeThatIsNoneIsRefusedByWhatIsWrong()
    {
        using var model = TextModels.Random(4, 4);
        foreach (var (counts, thresholds, named) in ((int[], double[], string[])[])[
            ([], [], ["Cascade.ChainCounts", "none"]),
            ([0, 1], [1], ["Cascade.ChainCounts", "0, 1"]),
            ([2, 1], [1], ["Cascade.ChainCounts", "rise", "2, 1"]),
            ([1, 1], [1], ["Cascade.ChainCounts", "rise", "1, 1"]),
            ([1, 2], [], ["Cascade.MaximumLosses", "have 1", "2 chain counts", "found 0"]),
            ([1, 2, 3], [1], ["Cascade.MaximumLosses", "have 2", "3 chain counts", "found 1"]),
            ([2], [1.5], ["Cascade.MaximumLosses", "have 0", "found 1"]),
            ([1, 2], [double.NaN], ["Cascade.MaximumLosses", "NaN"]),
            ([1, 2, 3], [1.5, 1.25], ["Cascade.MaximumLosses", "fall", "1.5, 1.25"])])
        {
            var error = Assert.ThrowsExactly<ArgumentException>(
                () => Estimator(model, new() { ChainCounts = counts, MaximumLosses = thresholds }));
            foreach (var part in named)
                Assert.Contains(part, error.Message);
        }
    }

    [TestMethod]
    public void CountsThatTheModelLacksAreRefusedByItsChains()
    {
        using var model = TextModels.Random(4, 4);
        var estimator = Estimator(model, new() { ChainCounts = [1, 3], MaximumLosses = [1] });
        var error = Assert.ThrowsExactly<ArgumentException>(() => estimator.Fit(_mlContext.Rows("a")));
        foreach (var part in (string[])["Cascade.ChainCounts", "1, 3", "2 chains", "{4,4}"])
            Assert.Contains(part, error.Message);
    }

    [TestMethod]
    public void ACascadeBesideAChainCountOrAnotherTaskIsRefused()
    {
        using var model = TextModels.Random(4, 4);
        var both = Assert.ThrowsExactly<ArgumentException>(
            () => Estimator(model, Stopping(model, [1, 2]), options => options.ChainCount = 2));
        Assert.Contains("ChainCount must be left out", both.Message);
        var task = Assert.ThrowsExactly<ArgumentException>(
            () => Estimator(model, Stopping(model, [1, 2]), options => options.Task = ScoringTask.Features));
        Assert.Contains("Cascade must be left out", task.Message);
    }

    [TestMethod]
    public void ColumnNamesOfACascadeDiffer()
    {
        using var model = TextModels.Random(4, 4);
        Assert.Contains("Perplexity", Assert.ThrowsExactly<ArgumentException>(() => Estimator(
            model, Stopping(model, [1, 2]), options => options.ChainsUsedColumnName = "Perplexity")).Message);
        Assert.Contains("column name", Assert.ThrowsExactly<ArgumentException>(() => Estimator(
            model, Stopping(model, [1, 2]), options => options.ChainsUsedColumnName = "")).Message);
    }

    /// <summary>Thresholds that stop about half of the rows that come to them.</summary>
    private CascadeOptions Stopping(CoLMModel model, int[] counts)
    {
        var left = Enumerable.Range(0, TextModels.Texts.Length).ToList();
        var thresholds = new List<double>();
        foreach (var count in counts[..^1])
        {
            using var plain = _mlContext.Scorer(model, count);
            var losses = Losses(plain);
            left.RemoveAll(row => !double.IsFinite(losses[row]));
            var sorted = left.Select(row => losses[row]).Order().ToArray();
            thresholds.Add((sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2);
            left.RemoveAll(row => losses[row] <= thresholds[^1]);
        }
        return new() { ChainCounts = counts, MaximumLosses = [.. thresholds.Order()] };
    }

    private double[] Losses(ElasticScoringTransformer plain) => [.. plain.Score(_mlContext, TextModels.Texts)
        .Select(score => -score.LogProbability / (double)score.TokenCount)];

    private CascadeRow[] Rows(ElasticScoringTransformer transformer) => [.. _mlContext.Data
        .CreateEnumerable<CascadeRow>(transformer.Transform(_mlContext.Rows(TextModels.Texts)), reuseRowObject: false)];

    private ElasticScoringTransformer Cascading(CoLMModel model, int[] counts, int batchSize = 64) =>
        Cascading(model, Stopping(model, counts), batchSize);

    private ElasticScoringTransformer Cascading(CoLMModel model, CascadeOptions cascade, int batchSize = 64) =>
        Estimator(model, cascade, options => options.BatchSize = batchSize).Fit(_mlContext.Rows("text"));

    private ElasticScoringEstimator Estimator(
        CoLMModel model, CascadeOptions cascade, Action<ElasticScoringEstimator.Options>? change = null)
    {
        var options = new ElasticScoringEstimator.Options { Model = model, Cascade = cascade };
        change?.Invoke(options);
        return _mlContext.Transforms.ElasticScoring(options);
    }
}
