using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tests.Training;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Sweeps of several ranks, each a thread.</summary>
[TestClass, DoNotParallelize]
public sealed class RankSweepTests : IDisposable
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(4, 4);
    private readonly ElasticScoringTransformer _source;
    private readonly TemporaryFolder _folder = new();

    public RankSweepTests() => _source = _mlContext.Scorer(_model);

    public void Dispose()
    {
        _source.Dispose();
        _model.Dispose();
        _folder.Dispose();
    }

    [TestMethod]
    [DataRow(2, true)]
    [DataRow(3, false)]
    public void AllRanksReturnTheTrialsOfOneProcessInItsOrderAndRankZeroHasTheModels(int ranks, bool measuresLatency)
    {
        using var whole = Sweep().SetLatencyMeasurement(measuresLatency).Run();
        var recorder = new TrialRecorder();
        var found = Succeed(ThreadRanks.RunAll(ranks, communicator =>
        {
            var sweep = Sweep().SetLatencyMeasurement(measuresLatency).SetCommunicator(communicator);
            return communicator.Rank == 0 ? sweep.SetMonitor(recorder).Run() : sweep.Run();
        }));
        foreach (var (result, rank) in found.Select((result, rank) => (result, rank)))
        {
            CollectionAssert.AreEqual(whole.Describe(), result.Describe());
            CollectionAssert.AreEqual(found[0].Trials.Select(Numbers).ToArray(), result.Trials.Select(Numbers).ToArray());
            Assert.AreEqual(rank == 0, result.Trials.Any(trial => trial.Model is not null));
            Assert.AreEqual(measuresLatency, result.Trials[0].MedianLatency is not null);
        }
        CollectionAssert.AreEqual(whole.Describe(), recorder.Trials.Select(Sweeps.Describe).ToArray());
        Sweeps.HasTheModelsOfItsFrontier(found[0]);
        CollectionAssert.AreEqual(_mlContext.Predict(whole.Best.Model!, Tuning.Data).Scores(),
            _mlContext.Predict(found[0].Best.Model!, Tuning.Data).Scores());
        found[0].Dispose();
    }

    [TestMethod]
    public void NoRankIdlesWhileCandidatesAreLeft()
    {
        // The first one lasts until all others are done, which the other rank must do.
        using var others = new CountdownEvent(4);
        var found = Succeed(ThreadRanks.RunAll(2, communicator => _mlContext.Over(Sweeps.Rates(1e-3, 2e-3, 3e-3, 4e-3, 5e-3), settings =>
        {
            var tuning = _mlContext.Tuning(_source, settings.Get<double>("rate"), steps: 1);
            return new FakeEstimator(data =>
            {
                if (settings.Get<double>("rate") == 1e-3)
                    Assert.IsTrue(others.Wait(TimeSpan.FromSeconds(30)));
                else
                    others.Signal();
                return tuning.Fit(data);
            });
        }).SetLatencyMeasurement(false).SetCheckpoint(_folder.Path).SetCommunicator(communicator).Run()));
        CollectionAssert.AreEqual(Enumerable.Range(1, 10).ToArray(), found[1].Trials.Select(trial => trial.Id).ToArray());
        Assert.AreEqual(1e-3, found[1].Trials[0].Settings.Get<double>("rate"));
        found[0].Dispose();

        // Its line is the last or nearly so, and one process goes on from there.
        Assert.DoesNotContain("\"candidate\":1,", File.ReadLines(_folder["sweep-trials.jsonl"]).First());
        using var again = _mlContext.Over(Sweeps.Rates(1e-3, 2e-3, 3e-3, 4e-3, 5e-3), _ => throw new FormatException())
            .SetLatencyMeasurement(false).SetCheckpoint(_folder.Path).Run();
        CollectionAssert.AreEqual(found[0].Describe(), again.Describe());
        Sweeps.HasTheModelsOfItsFrontier(again);
    }

    [TestMethod]
    [DataRow(2, 1)]
    [DataRow(1, 2)]
    [DataRow(2, 2)]
    public void ASweepThatEndedEarlyGoesOnWithAnotherNumberOfRanks(int before, int after)
    {
        using var whole = Sweep().Run();
        using (var source = new CancellationTokenSource())
        {
            var part = ThreadRanks.RunAll(before, communicator =>
            {
                var sweep = Sweep().SetCommunicator(communicator);
                if (communicator.Rank == 0)
                    sweep.SetCheckpoint(_folder.Path).SetMonitor(new TrialRecorder(_ => source.Cancel()));
                else
                    sweep.SetCheckpoint(_folder["not there"]);
                return sweep.Run(communicator.Rank == 0 ? source.Token : default);
            });
            Assert.IsLessThan(whole.Trials.Count, File.ReadLines(_folder["sweep-trials.jsonl"]).Count() * 2);
            Array.ForEach(part, end => end.Result?.Dispose());
        }
        var rest = Succeed(ThreadRanks.RunAll(after, communicator => Sweep().SetCheckpoint(
            communicator.Rank == 0 ? _folder.Path : _folder["not there"]).SetCommunicator(communicator).Run()));
        foreach (var result in rest)
            CollectionAssert.AreEqual(whole.Describe(), result.Describe());
        Sweeps.HasTheModelsOfItsFrontier(rest[0]);
        Assert.IsFalse(Directory.Exists(_folder["not there"]));
        rest[0].Dispose();
    }

    [TestMethod]
    public void ACandidateThatThrowsCostsItsTrialAlone()
    {
        var found = Succeed(ThreadRanks.RunAll(2, communicator => Sweep(rate => rate == 2e-2).SetCommunicator(communicator).Run()));
        foreach (var result in found)
        {
            Assert.HasCount(7, result.Trials);
            Assert.AreEqual(SweepTrialState.Failed, result.Trials[2].State);
            Assert.Contains("FormatException", result.Trials[2].Error!);
        }
        found[0].Dispose();
    }

    [TestMethod]
    public void RanksOfDifferentSweepsAllRefuseAndSayWhatDiffers()
    {
        foreach (var (_, thrown) in ThreadRanks.RunAll(3, communicator => Sweep()
            .SetMetric(communicator.Rank == 2 ? SweepMetric.MacroAccuracy : SweepMetric.LogLoss).SetCommunicator(communicator).Run()))
        {
            Assert.IsExactInstanceOfType<ArgumentException>(thrown);
            Assert.Contains("Metric is LogLoss of column 'Label' on rank 0 and MacroAccuracy of column 'Label' on rank 2", thrown.Message);
        }
    }

    [TestMethod]
    public void CancellingAnyRankEndsTheSweepOnAllWithWhatIsDone()
    {
        using var source = new CancellationTokenSource();
        var ends = ThreadRanks.RunAll(2, communicator => _mlContext.Over(Sweeps.Rates(1e-3, 2e-3, 3e-3), settings =>
        {
            if (settings.Get<double>("rate") == 1e-3)
                return _mlContext.Tuning(_source, 1e-3);
            if (settings.Get<double>("rate") == 3e-3)
                source.CancelAfter(100);
            return FakeEstimator.Waiting(settings.CancellationToken);
        }).SetCommunicator(communicator).SetLatencyMeasurement(false).Run(communicator.Rank == 1 ? source.Token : default));
        foreach (var result in Succeed(ends))
        {
            CollectionAssert.AreEqual(new[] { SweepTrialState.Completed, SweepTrialState.Completed, SweepTrialState.Stopped, SweepTrialState.Stopped },
                result.Trials.Select(trial => trial.State).ToArray());
        }
        ends[0].Result!.Dispose();
    }

    [TestMethod]
    public void ARankWhoseRunThrowsEndsTheOthers()
    {
        var ends = ThreadRanks.RunAll(2, communicator => Sweep().SetCommunicator(communicator)
            .SetMonitor(new TrialRecorder(_ => throw new FormatException("the monitor's"))).Run());
        Assert.IsExactInstanceOfType<FormatException>(ends[0].Thrown);
        Assert.IsExactInstanceOfType<CommunicatorException>(ends[1].Thrown);
        Assert.Contains("the monitor's", ends[1].Thrown!.Message);
    }

    [TestMethod]
    public void LatencyIsMeasuredByOneRankAtATimeWhileNoneFits()
    {
        var (busy, measuring) = (0, 0);
        var found = Succeed(ThreadRanks.RunAll(3, communicator =>
        {
            var sweep = _mlContext.Over(Sweeps.Rates(1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 6e-3), settings =>
            {
                var tuning = _mlContext.Tuning(_source, settings.Get<double>("rate"), steps: 1);
                return new FakeEstimator(data =>
                {
                    Assert.AreEqual(0, Volatile.Read(ref measuring));
                    Interlocked.Increment(ref busy);
                    var fitted = tuning.Fit(data);
                    Interlocked.Decrement(ref busy);
                    return fitted;
                });
            }).SetCommunicator(communicator);
            sweep.MeasureLatency = (_, _, _, _) =>
            {
                Assert.AreEqual(1, Interlocked.Increment(ref measuring));
                Thread.Sleep(5);
                Assert.AreEqual(0, Volatile.Read(ref busy));
                Interlocked.Decrement(ref measuring);
                return new(1, 1, 1);
            };
            return sweep.Run();
        }));
        Assert.IsTrue(found[0].Trials.All(trial => trial.State == SweepTrialState.Completed), string.Join('\n', found[0].Trials.Select(trial => trial.Error)));
        found[0].Dispose();
    }

    [TestMethod]
    public void TheChainCountsOfAModelAreSharedAndEveryRankHasTheModels()
    {
        using var fitted = (IDisposable)_mlContext.Tuning(_source).Fit(_mlContext.Labelled());
        ChainSweep Chains() => _mlContext.CreateQuickSweep().SetModel((ITransformer)fitted)
            .SetDataset(_mlContext.Labelled(), _mlContext.Labelled()).SetMetric(SweepMetric.LogLoss);
        using var whole = Chains().Run();
        foreach (var result in Succeed(ThreadRanks.RunAll(2, communicator => Chains().SetCommunicator(communicator).Run())))
        {
            CollectionAssert.AreEqual(whole.Describe(), result.Describe());
            Assert.IsTrue(result.Trials.All(trial => trial.Model is not null));
            result.Dispose();
        }
    }

    [TestMethod]
    public void WithoutLatencyMeasurementParametersTakeItsPlace()
    {
        using var result = Sweep().SetLatencyMeasurement(false).Run();
        Assert.IsTrue(result.Trials.All(trial => trial is { MedianLatency: null, Percentile95Latency: null, RowsPerSecond: null }));
        Assert.Contains("measured no latency", Assert.ThrowsExactly<InvalidOperationException>(() => result.BestUnder(latency: 1)).Message);
        Assert.AreEqual(result.Trials.Min(trial => trial.Parameters), result.CheapestWithin(100).Parameters);
        Assert.AreEqual(result.Trials.Min(trial => trial.Metric), result.Best.Metric);
        Assert.IsNotNull(result.Best.Model);
        Assert.IsNotEmpty(result.ToString());
        Assert.IsNull(result.ToDataFrame()["MedianLatency"][0]);
        result.SaveJson(_folder["trials.json"]);
        Assert.Contains("\"medianLatency\": null", File.ReadAllText(_folder["trials.json"]));
        result.SaveCsv(_folder["trials.csv"]);
    }

    [TestMethod]
    public void ThereIsNoSweepWithoutACommunicatorThatIsSet() =>
        Assert.ThrowsExactly<ArgumentNullException>(() => Sweep().SetCommunicator(null!));

    private ChainSweep Sweep(Predicate<double>? isFailing = null) => _mlContext.Over(Sweeps.Rates(1e-3, 2e-2, 5e-2, 1e-1), settings =>
        isFailing?.Invoke(settings.Get<double>("rate")) == true ? throw new FormatException()
            : _mlContext.Tuning(_source, settings.Get<double>("rate"))).SetMetric(SweepMetric.LogLoss);

    private static string Numbers(ChainTrial trial) => FormattableString.Invariant(
        $"{Sweeps.Describe(trial)} {trial.MedianLatency:R} {trial.Parameters} {trial.PeakMemory} {trial.TrainingSeconds:R}");

    private static ChainSweepResult[] Succeed((ChainSweepResult? Result, Exception? Thrown)[] ends)
    {
        foreach (var (_, thrown) in ends)
            Assert.IsNull(thrown, thrown?.ToString());
        return [.. ends.Select(end => end.Result!)];
    }
}
