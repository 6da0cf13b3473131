namespace Microsoft.ML.CoLM.Tests.Sweeping;

[TestClass]
public sealed class ChainSweepResultTests
{
    private const int Rounds = 300;

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void FrontierHoldsOneOfAllThatNoOtherBeats(bool isMaximized)
    {
        for (var seed = 0; seed < Rounds; seed++)
        {
            var trials = Trials.Random(seed);
            var ranked = Ranked(trials, isMaximized);
            (double Quality, double Latency)[] expected = [.. ranked
                .Where(one => !Array.Exists(ranked, other => Beats(other, one)))
                .Select(one => (one.Quality, one.Latency)).Distinct().OrderBy(point => point.Latency)];
            var result = Trials.Result(isMaximized, trials);
            CollectionAssert.AreEqual(expected, Points(result.Frontier, isMaximized), $"seed {seed}");
            if (expected.Length > 0)
                Assert.AreSame(result.Frontier[^1], result.Best);
        }
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void NothingWithinBudgetsIsBetterThanWhatTheyGive(bool isMaximized)
    {
        var (met, missed) = (0, 0);
        for (var seed = 0; seed < Rounds; seed++)
        {
            var random = new Random(seed);
            var trials = Trials.Random(seed);
            var ranked = Ranked(trials, isMaximized);
            double? latency = random.Next(3) == 0 ? null : random.Next(12) / 4.0;
            long? memory = random.Next(3) == 0 ? null : random.Next(4);
            long? parameters = random.Next(3) == 0 ? null : random.Next(4);
            (ChainTrial Trial, double Quality, double Latency)[] within = [.. ranked.Where(one =>
                (latency is null || one.Latency <= latency) && (memory is null || one.Trial.PeakMemory <= memory) &&
                (parameters is null || one.Trial.Parameters <= parameters))];
            var result = Trials.Result(isMaximized, trials);
            if (within.Length == 0)
            {
                Assert.ThrowsExactly<InvalidOperationException>(() => result.BestUnder(latency, memory, parameters));
                missed++;
                continue;
            }
            met++;
            var best = result.BestUnder(latency, memory, parameters);
            var found = within.Single(one => one.Trial == best);
            Assert.IsFalse(Array.Exists(within, other => other.Quality > found.Quality ||
                (other.Quality == found.Quality && other.Latency < found.Latency)), $"seed {seed}");
        }
        Assert.IsTrue(met > Rounds / 4 && missed > Rounds / 20);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void NothingWithinTheToleranceIsFasterThanTheCheapest(bool isMaximized)
    {
        for (var seed = 0; seed < Rounds; seed++)
        {
            var trials = Trials.Random(seed);
            var ranked = Ranked(trials, isMaximized);
            if (ranked.Length == 0)
                continue;
            var tolerance = new Random(seed).Next(5) / 8.0;
            var best = ranked.Max(one => one.Quality);
            (ChainTrial Trial, double Quality, double Latency)[] within =
                [.. ranked.Where(one => one.Quality >= best - tolerance)];
            var cheapest = Trials.Result(isMaximized, trials).CheapestWithin(tolerance);
            var found = within.Single(one => one.Trial == cheapest);
            Assert.IsFalse(Array.Exists(within, other => other.Latency < found.Latency ||
                (other.Latency == found.Latency && other.Quality > found.Quality)), $"seed {seed}");
        }
    }

    [TestMethod]
    public void DecimalTolerancesMeanWhatTheySay()
    {
        var result = Trials.Result(true, Trials.Completed(1, 0.9, 2), Trials.Completed(2, 0.89, 1));
        Assert.IsGreaterThan(0.01, 0.9 - 0.89);
        Assert.AreEqual(2, result.CheapestWithin(0.01).Id);
        Assert.AreEqual(1, result.CheapestWithin(0.00999).Id);
        Assert.AreEqual(1, result.CheapestWithin(0).Id);
        Assert.AreEqual(2, result.CheapestWithin(double.PositiveInfinity).Id);
    }

    [TestMethod]
    public void OfEqualTrialsTheOneWithAModelIsTaken()
    {
        var withModel = Trials.Completed(2, 0.5, 1);
        withModel.Model = new NoTransformer();
        var result = Trials.Result(true, Trials.Completed(1, 0.5, 1), withModel, Trials.Completed(3, 0.5, 1));
        Assert.AreSame(withModel, result.Best);
        Assert.AreSame(withModel, result.BestUnder(memory: 1 << 20));
        Assert.AreSame(withModel, result.CheapestWithin(0));
        Assert.HasCount(1, result.Frontier);
    }

    [TestMethod]
    public void InfinityIsANumberAndNaNIsNone()
    {
        var result = Trials.Result(false, Trials.Completed(1, double.NaN, 0.1), Trials.Completed(2, double.PositiveInfinity, 1),
            Trials.Completed(3, 2, 2));
        CollectionAssert.AreEqual(new[] { 2, 3 }, result.Frontier.Select(trial => trial.Id).ToArray());
        Assert.AreEqual(3, result.CheapestWithin(1e300).Id);
        Assert.AreEqual(2, result.CheapestWithin(double.PositiveInfinity).Id);
    }

    [TestMethod]
    public void ABudgetThatNothingMeetsNamesTheNearestAndWhatItMisses()
    {
        var result = Trials.Result(true, Trials.Completed(1, 0.8, 1.25, 1), Trials.Completed(2, 0.9, 3.5, 2));
        AreRefused("No trial takes at most 0.5 ms a row. The nearest is trial 1, model.WithChainCount(1): it takes 1.25 ms a " +
            "row, 0.75 above the latency budget.", () => result.BestUnder(latency: 0.5));
        AreRefused("No trial takes at most 1,048,575 bytes of memory. The nearest is trial 2, model.WithChainCount(2): it takes " +
            "1,048,576 bytes of memory, 1 above the memory budget.", () => result.BestUnder(memory: (1 << 20) - 1));
        AreRefused("No trial takes at most 2 ms a row and 900 parameters. The nearest is trial 1, model.WithChainCount(1): it " +
            "takes 1,000 parameters, 100 above the parameters budget.", () => result.BestUnder(latency: 2, parameters: 900));
        AreRefused("No trial takes at most 1 ms a row and 0 parameters. The nearest is trial 1, model.WithChainCount(1): it " +
            "takes 1.25 ms a row, 0.25 above the latency budget, and it takes 1,000 parameters, 1,000 above the parameters " +
            "budget.", () => result.BestUnder(latency: 1, parameters: 0));
        AreRefused("No trial takes at most 0.1 ms a row. The nearest is trial 8, model.WithChainCount(1): it takes 0.2 ms a row, 0.1 " +
            "above the latency budget.", () => Trials.Result(true, Trials.Completed(7, 0.5, null), Trials.Completed(8, 0.4, 0.2))
                .BestUnder(latency: 0.1));
    }

    [TestMethod]
    public void BudgetsAndTolerancesAreAtLeastZero()
    {
        var result = Trials.Result(true, Trials.Completed(1, 0.8, 1.25));
        AreOutOfRange("latency must be at least 0, found -0.5.", () => result.BestUnder(latency: -0.5));
        AreOutOfRange("latency must be at least 0, found NaN.", () => result.BestUnder(latency: double.NaN));
        AreOutOfRange("memory must be at least 0, found -1.", () => result.BestUnder(memory: -1));
        AreOutOfRange("parameters must be at least 0, found -1.", () => result.BestUnder(parameters: -1));
        AreOutOfRange("tolerance must be at least 0, found -0.5.", () => result.CheapestWithin(-0.5));
        AreOutOfRange("tolerance must be at least 0, found NaN.", () => result.CheapestWithin(double.NaN));
        Assert.AreSame(result.Best, result.BestUnder(double.PositiveInfinity, long.MaxValue, long.MaxValue));
    }

    [TestMethod]
    public void WithoutACompletedTrialThereIsNoneToTake()
    {
        foreach (var result in (ChainSweepResult[])[Trials.Result(true), Trials.Result(true, Trials.Failed(1, "No space."))])
        {
            Assert.IsEmpty(result.Frontier);
            AreRefused("No trial of the sweep completed with a metric.", () => result.Best);
            AreRefused("No trial of the sweep completed with a metric.", () => result.BestUnder(latency: 1));
            AreRefused("No trial of the sweep completed with a metric.", () => result.CheapestWithin(1));
            Assert.AreEqual(result.Trials.Count, result.ToDataFrame().Rows.Count);
            Assert.Contains("MicroAccuracy", result.ToString());
        }
    }

    private static (ChainTrial Trial, double Quality, double Latency)[] Ranked(ChainTrial[] trials, bool isMaximized) =>
        [.. trials
            .Where(trial => trial.State == SweepTrialState.Completed && trial.Metric is { } metric && !double.IsNaN(metric))
            .Select(trial => (trial, isMaximized ? trial.Metric!.Value : -trial.Metric!.Value,
                trial.MedianLatency is { } latency && !double.IsNaN(latency) ? latency : double.PositiveInfinity))];

    private static bool Beats((ChainTrial, double Quality, double Latency) one, (ChainTrial, double Quality, double Latency) other) =>
        one.Quality >= other.Quality && one.Latency <= other.Latency && (one.Quality, one.Latency) != (other.Quality, other.Latency);

    private static (double, double)[] Points(IReadOnlyList<ChainTrial> trials, bool isMaximized) =>
        [.. Ranked([.. trials], isMaximized).Select(one => (one.Quality, one.Latency))];

    private static void AreRefused(string message, Func<object> action) =>
        Assert.AreEqual(message, Assert.ThrowsExactly<InvalidOperationException>(action).Message);

    private static void AreOutOfRange(string message, Func<object> action) =>
        Assert.StartsWith(message, Trials.In("de-DE", () => Assert.ThrowsExactly<ArgumentOutOfRangeException>(action)).Message);
}
