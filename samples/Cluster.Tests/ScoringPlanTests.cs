using ClusterSample.Client;
using Microsoft.ML;

namespace ClusterSample.Tests;

[TestClass]
public sealed class ScoringPlanTests
{
    [TestMethod]
    public void OnlyWhatIsComputedIsSentAndOnlyWhatItReads()
    {
        var mlContext = new MLContext(seed: 1);
        var rows = Zips.Texts(mlContext, 4);
        // A column of the input's name and type that is none of the input's.
        var pipeline = mlContext.Transforms.Text.NormalizeText("Text")
            .Append(mlContext.Transforms.CopyColumns("Same", "Number"))
            .Append(mlContext.Transforms.Text.NormalizeText("Other", "Text"))
            .Fit(rows);

        var plan = ScoringPlan.Create(pipeline, rows.Schema);

        CollectionAssert.AreEqual(new[] { "Text", "Other" }, plan.Computed.Select(column => column.Name).ToArray());
        CollectionAssert.AreEqual(new[] { "Text" }, plan.Inputs.Select(column => column.Name).ToArray());
        Assert.AreEqual("Number", plan.SourceOf(plan.Schema["Same"])?.Name);
        Assert.IsNull(plan.SourceOf(plan.Schema["Text"]));
    }
}
