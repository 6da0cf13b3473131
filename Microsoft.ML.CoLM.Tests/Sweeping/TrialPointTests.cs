using Microsoft.ML.CoLM.Sweeping;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

[TestClass]
public sealed class TrialPointTests
{
    [TestMethod]
    [DataRow(null)]
    [DataRow(2.0)]
    public void OfTrialsThatAreAlikeInEverythingOneIsNeeded(double? latency)
    {
        TrialPoint[] points = [.. Enumerable.Range(1, 5).Select(candidate =>
            TrialPoint.Of(Trials.Completed(id: 9 - candidate, 0.5, latency), isMaximized: true, candidate, place: 0))];
        Assert.AreEqual(points[0], points.Single(point => point.IsNeededBeside(points)));
    }

    [TestMethod]
    public void OfTrialsThatAreAlikeTheFasterOneIsNeeded()
    {
        TrialPoint[] points = [.. Enumerable.Range(1, 5).Select(candidate =>
            TrialPoint.Of(Trials.Completed(id: candidate, 0.5, latency: 6 - candidate), isMaximized: true, candidate, place: 0))];
        Assert.AreEqual(points[^1], points.Single(point => point.IsNeededBeside(points)));
    }
}
