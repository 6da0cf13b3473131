using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM.Tests.Evaluation;

/// <summary>The search for a cascade, on rows that are drawn and not scored.</summary>
[TestClass]
public sealed class CascadeSearchTests
{
    private static readonly long[] Parameters = [10, 20, 80];

    /// <summary>The promise is about rows that the search has not seen, and holds as often as it says.</summary>
    [TestMethod]
    [DataRow(true, 0.04)]
    [DataRow(true, 0.1)]
    [DataRow(false, 0.02)]
    [DataRow(false, 0.05)]
    public void OnAsManyOtherRowsTheMetricStaysWithinTheToleranceAsOftenAsPromised(bool isCount, double tolerance)
    {
        const int Draws = 100;
        var random = new Random(5);
        var (kept, cost) = (0, 0.0);
        for (var draw = 0; draw < Draws; draw++)
        {
            var found = Search(Rows(random, 200, isCount), tolerance, isCount);
            kept += Difference(Rows(random, 200, isCount), found) <= tolerance ? 1 : 0;
            cost += found.Cost / Draws;
        }
        Assert.IsGreaterThanOrEqualTo(95, kept);
        Assert.IsLessThan(0.9, cost);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void WithoutToleranceNothingIsEverWorse(bool isCount)
    {
        var random = new Random(6);
        for (var draw = 0; draw < 20; draw++)
        {
            var rows = Rows(random, 200, isCount);
            Assert.IsLessThanOrEqualTo(0, Difference(rows, Search(rows, tolerance: 0, isCount)));
        }
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    [DataRow(200)]
    public void WithoutLimitTheFirstCountDoesForAllRows(int count)
    {
        var found = Search(Rows(new Random(7), count, isCount: false), double.PositiveInfinity, isCount: false);
        CollectionAssert.AreEqual(new[] { 0 }, found.Stages);
        Assert.AreEqual(10.0 / 80, found.Cost, 1e-12);
    }

    [TestMethod]
    public void TooFewRowsPromiseNothing()
    {
        // Any three rows may be alike by chance.
        CalibrationRow[] rows = [.. Enumerable.Range(0, 3).Select(i => new CalibrationRow(10, 10, [i, i, i], [5, 5, 5]))];
        CollectionAssert.AreEqual(new[] { 2 }, Search(rows, tolerance: 10, isCount: false).Stages);
    }

    [TestMethod]
    public void MoreConfidenceCostsMore()
    {
        var rows = Rows(new Random(8), 300, isCount: false);
        var costs = ((double[])[0.5, 0.8, 0.95, 0.999]).Select(confidence => new CascadeSearch(
            rows, Parameters, tolerance: 0.03, confidence, isCount: false).Find().Cost).ToArray();
        CollectionAssert.AreEqual(costs.Order().ToArray(), costs);
        Assert.IsLessThan(costs[^1], costs[0]);
    }

    [TestMethod]
    public void TheClaimIsWhatTheRowsSay()
    {
        var rows = Rows(new Random(9), 300, isCount: false);
        var found = Search(rows, tolerance: 0.03, isCount: false);
        Assert.IsGreaterThan(1, found.Stages.Length);
        Assert.AreEqual(Difference(rows, found), found.Difference, 1e-12);
        Assert.AreEqual(rows.Sum(row => row.Tokens * Parameters[row.StageOf(found.Stages, found.Threshold)]) /
            rows.Sum(row => row.Tokens * 80), found.Cost, 1e-12);
        Assert.IsTrue(found.Bound > found.Difference && found.Bound <= 0.03);
        Assert.IsFalse(rows.Any(row => row.Doubts.Contains(found.Threshold)), "A threshold stands between rows.");
    }

    [TestMethod]
    public void RowsWithNothingToReadSayNothing()
    {
        CalibrationRow nothing = new(0, 0, [.. Enumerable.Repeat(double.NegativeInfinity, 3)], [0, 0, 0]);
        var rows = Rows(new Random(10), 300, isCount: false);
        var expected = Search(rows, tolerance: 0.03, isCount: false);
        // Multiples of the folds leave the other rows in theirs.
        var found = Search([.. rows, .. Enumerable.Repeat(nothing, 50)], tolerance: 0.03, isCount: false);
        CollectionAssert.AreEqual(expected.Stages, found.Stages);
        Assert.AreEqual(expected with { Stages = found.Stages }, found);
        Assert.AreEqual(found.Stages[0], nothing.StageOf(found.Stages, found.Threshold));
    }

    [TestMethod]
    [DataRow(0.5, 0)]
    [DataRow(0.9, 1.28155)]
    [DataRow(0.95, 1.64485)]
    [DataRow(0.975, 1.95996)]
    [DataRow(0.999, 3.09023)]
    public void NormalQuantilesAreThoseOfTables(double probability, double expected) =>
        Assert.AreEqual(expected, NormalQuantile.Of(probability), 5e-4);

    private static CascadeCandidate Search(CalibrationRow[] rows, double tolerance, bool isCount) =>
        new CascadeSearch(rows, Parameters, tolerance, confidence: 0.95, isCount).Find();

    private static double Difference(CalibrationRow[] rows, CascadeCandidate cascade) => rows.Sum(
        row => row.Losses[row.StageOf(cascade.Stages, cascade.Threshold)] - row.Losses[^1]) / rows.Sum(row => row.Weight);

    /// <summary>Rows that more chains do better on, and hard ones most, as far as doubts can tell.</summary>
    private static CalibrationRow[] Rows(Random random, int count, bool isCount) => [.. Enumerable.Range(0, count).Select(_ =>
    {
        var hard = Normal(random);
        if (isCount)
        {
            double[] scores = [.. Enumerable.Range(0, 3).Select(scale => 1.2 + 0.6 * scale - hard + 0.7 * Normal(random))];
            return new CalibrationRow(10, 1, Array.ConvertAll(scores, score => -Math.Abs(Math.Tanh(score))),
                Array.ConvertAll(scores, score => score > 0 ? 0.0 : 1.0));
        }
        var tokens = random.Next(50, 400);
        double[] gains = [0.06 + 0.03 * hard + 0.04 * Normal(random), 0.015 + 0.01 * hard + 0.02 * Normal(random), 0];
        var losses = Array.ConvertAll(gains, gain => (1.4 + 0.2 * hard + gain) * tokens);
        return new CalibrationRow(tokens, tokens, Array.ConvertAll(losses, loss => loss / tokens), losses);
    })];

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
