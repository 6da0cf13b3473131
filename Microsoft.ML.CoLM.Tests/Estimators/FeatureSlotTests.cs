using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Names of a feature vector's slots.</summary>
[TestClass, DoNotParallelize]
public sealed class FeatureSlotTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void ASlotHasItsChainsNumberAndItsOwn()
    {
        using var model = TextModels.Random(4, 2);
        using var two = Estimator(model).Fit(_mlContext.Rows("text"));
        using var one = two.WithChainCount(1);
        string[] expected =
            [.. Enumerable.Range(0, 16).Select(i => $"chain1.{i}"), .. Enumerable.Range(0, 8).Select(i => $"chain2.{i}")];
        var rows = _mlContext.Rows("a text");
        CollectionAssert.AreEqual(expected, Names(two.Transform(rows).Schema));
        CollectionAssert.AreEqual(expected, Names(two.GetOutputSchema(rows.Schema)));
        CollectionAssert.AreEqual(expected[..16], Names(one.Transform(rows).Schema));
    }

    [TestMethod]
    public void NamesAreInTheSchemaOfAPipelineThatIsNotFitted()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 2);
        model.Save(folder["model"]);
        var rows = _mlContext.Rows("text");
        var fromFolder = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            ModelFolder = folder["model"],
            Task = ScoringTask.Features,
        });
        foreach (var estimator in (ElasticScoringEstimator[])[Estimator(model), fromFolder])
        {
            using var fitted = estimator.Fit(rows);
            CollectionAssert.AreEqual(Shapes.Describe(Shapes.Of(fitted.Transform(rows).Schema)),
                Shapes.Describe(estimator.GetOutputSchema(Shapes.Of(rows.Schema))));
        }
    }

    [TestMethod]
    public void NamesThatWereGivenAreNotChangedByWhoeverReadThem()
    {
        using var model = TextModels.Random(4);
        using var transformer = Estimator(model).Fit(_mlContext.Rows("text"));
        var column = transformer.GetOutputSchema(_mlContext.Rows("text").Schema)["Features"];
        VBuffer<ReadOnlyMemory<char>> names = default;
        column.GetSlotNames(ref names);
        VBufferEditor.CreateFromBuffer(ref names).Values[0] = "other".AsMemory();
        column.GetSlotNames(ref names);
        Assert.AreEqual("chain1.0", names.GetItemOrDefault(0).ToString());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void PermutationNamesTheFeaturesThatATrainerReads(bool isNormalized)
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 2);
        var rows = _mlContext.Labelled(Tuning.Easy);
        var scoring = Estimator(model).AppendCacheCheckpoint(_mlContext);
        var trainer = _mlContext.BinaryClassification.Trainers.SdcaLogisticRegression("IsWarm", maximumNumberOfIterations: 5);
        using var fitted = isNormalized
            ? scoring.Append(_mlContext.Transforms.NormalizeMeanVariance("Features")).Append(trainer).Fit(rows)
            : scoring.Append(trainer).Fit(rows);
        _mlContext.Model.Save(fitted, rows.Schema, folder["model.zip"]);
        var elsewhere = new MLContext(seed: 1);
        using var loaded = (TransformerChain<ITransformer>)elsewhere.Model.Load(folder["model.zip"], out _);
        string[] expected =
            [.. Enumerable.Range(0, 16).Select(i => $"chain1.{i}"), .. Enumerable.Range(0, 8).Select(i => $"chain2.{i}")];
        foreach (var (context, pipeline) in ((MLContext, ITransformer)[])[(_mlContext, fitted), (elsewhere, loaded)])
        {
            var importance = context.BinaryClassification.PermutationFeatureImportanceNonCalibrated(
                pipeline, pipeline.Transform(rows), labelColumnName: "IsWarm");
            CollectionAssert.IsSubsetOf(importance.Keys.ToArray(), expected);
            Assert.IsTrue(importance.Keys.Any(name => name.StartsWith("chain2.", StringComparison.Ordinal)));
            CollectionAssert.AreEqual(expected, Names(pipeline.Transform(rows).Schema));
        }
    }

    [TestMethod]
    public void ContributionsOfFeaturesHaveTheirNames()
    {
        using var model = TextModels.Random(4, 2);
        var rows = _mlContext.Labelled();
        using var fitted = Estimator(model).AppendCacheCheckpoint(_mlContext)
            .Append(_mlContext.Regression.Trainers.Sdca("Degrees", maximumNumberOfIterations: 5)).Fit(rows);
        var scored = fitted.Transform(rows);
        var explained = _mlContext.Transforms.CalculateFeatureContribution(fitted.LastTransformer, normalize: false)
            .Fit(scored).Transform(scored);
        CollectionAssert.AreEqual(Names(scored.Schema), Names(explained.Schema, "FeatureContributions"));
    }

    private ElasticScoringEstimator Estimator(CoLMModel model) => _mlContext.Transforms.ElasticScoring(
        new ElasticScoringEstimator.Options { Model = model, Task = ScoringTask.Features });

    private static string[] Names(DataViewSchema schema, string column = "Features")
    {
        VBuffer<ReadOnlyMemory<char>> names = default;
        schema[column].GetSlotNames(ref names);
        return [.. names.DenseValues().Select(name => name.ToString())];
    }
}
