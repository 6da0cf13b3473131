using System.Diagnostics;
using System.Reflection;
using Microsoft.ML.CoLM.Tests.Estimators;
using TorchSharp;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>What ends a sweep or a trial before its time: limits, and those who cancel.</summary>
[TestClass, DoNotParallelize]
public sealed class SweepLimitsTests
{
    private const int ManySteps = 1_000_000;
    private const double Soon = 0.3; // seconds
    private const double EnoughForOneStep = 3;

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(4, 4);
    private readonly ElasticScoringTransformer _source;

    public SweepLimitsTests() => _source = _mlContext.Scorer(_model);

    [TestCleanup]
    public void Dispose()
    {
        _source.Dispose();
        _model.Dispose();
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    [DataRow(true)]
    [DataRow(false)]
    public void AnEndlessTrainingIsStoppedWithoutBeingToldAndTheNextIsTried(bool expands)
    {
        var result = _mlContext.Over(new SweepSpace().Choice("steps", ManySteps, 1), settings => expands
                ? Expansion(settings.Get<int>("steps"))
                : _mlContext.Transforms.CopyColumns("Copy", "Text").Append(_mlContext.Tuning(_source, steps: settings.Get<int>("steps"))))
            .SetMetric("rows", _ => 1, isMaximized: true).SetTrialTimeInSeconds(EnoughForOneStep).Run();
        var stopped = result.Trials[0];
        Assert.AreEqual(SweepTrialState.Stopped, stopped.State);
        Assert.AreEqual("The trial's limit of 3 s (SetTrialTimeInSeconds) was reached.", stopped.Error);
        Assert.AreEqual(0, stopped.ChainCount);
        Assert.IsNull(stopped.Metric);
        Assert.IsGreaterThan(0, stopped.TrainingSeconds);
        Assert.IsTrue(result.Trials.Skip(1).All(trial => trial.State == SweepTrialState.Completed));
        Assert.DoesNotContain(stopped, result.Frontier);
        result.DisposeModels();
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void TheSweepEndsAtItsLimitWithWhatIsDone()
    {
        var result = _mlContext.Over(new SweepSpace().Choice("steps", 1, ManySteps, ManySteps + 1),
            settings => _mlContext.Tuning(_source, steps: settings.Get<int>("steps"))).SetTrainingTimeInSeconds(5).Run();
        Assert.HasCount(3, result.Trials);
        Assert.AreEqual(SweepTrialState.Stopped, result.Trials[2].State);
        Assert.AreEqual("The sweep's limit of 5 s (SetTrainingTimeInSeconds) was reached.", result.Trials[2].Error);
        result.DisposeModels();
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void WhereNothingIsDoneTheLimitIsTheReason()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Over(Sweeps.Rates(3e-2),
            _ => _mlContext.Tuning(_source, steps: ManySteps)).SetTrainingTimeInSeconds(Soon).Run());
        Assert.AreEqual("No trial of the sweep completed.\nTrial 1 (rate = 0.03): Stopped: The sweep's limit of 0.3 s " +
            "(SetTrainingTimeInSeconds) was reached.", error.Message);
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void AForeignTrainerEndsByTheSettingsToken()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Over(Sweeps.Rates(3e-2),
            settings => FakeEstimator.Waiting(settings.CancellationToken)).SetTrialTimeInSeconds(Soon).Run());
        Assert.Contains("Stopped: The trial's limit", error.Message);
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void AForeignTrainerThatIgnoresTheTokenIsWaitedForAndItsModelIsDisposed()
    {
        ElasticScoringTransformer? made = null;
        var result = _mlContext.Over(Sweeps.Rates(1, 2), settings => new FakeEstimator(_ =>
        {
            if (settings.Get<double>("rate") == 2)
                return _mlContext.Scorer(_model);
            var clock = Stopwatch.StartNew();
            while (clock.Elapsed.TotalSeconds < 2 * Soon || !settings.CancellationToken.IsCancellationRequested)
                Thread.Sleep(10);
            return made = _mlContext.Scorer(_model);
        })).SetMetric("rows", _ => 1, isMaximized: true).SetTrialTimeInSeconds(Soon).Run();
        Assert.AreEqual(SweepTrialState.Stopped, result.Trials[0].State);
        Assert.IsGreaterThanOrEqualTo(2 * Soon, result.Trials[0].TrainingSeconds);
        Assert.AreEqual(0, result.Trials[0].ChainCount);
        Assert.ThrowsExactly<ObjectDisposedException>(() => made!.Transform(_mlContext.Rows("a")));
        result.DisposeModels();
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void AForeignTrainerThatReadsRowsEndsWithTheNextRow()
    {
        var rows = 0;
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Over(Sweeps.Rates(3e-2), _ => new FakeEstimator(data =>
        {
            while (true)
            {
                using var cursor = data.GetRowCursor(data.Schema);
                while (cursor.MoveNext())
                    rows++;
            }
        })).SetTrialTimeInSeconds(Soon).Run());
        Assert.Contains("Stopped: The trial's limit", error.Message);
        Assert.IsGreaterThan(0, rows);
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void AScoringThatIsCutStopsTheTrialsThatAreNotJudgedYet()
    {
        var judged = 0;
        var result = _mlContext.Over(Sweeps.Rates(3e-2), _ => _mlContext.Tuning(_source)).SetMetric("rows", scored =>
        {
            while (++judged > 1)
            {
                using var cursor = scored.GetRowCursor(scored.Schema);
                while (cursor.MoveNext())
                    Thread.Sleep(10);
            }
            return 1;
        }, isMaximized: true).SetTrialTimeInSeconds(3).Run();
        Assert.HasCount(2, result.Trials);
        Assert.AreEqual(SweepTrialState.Completed, result.Trials[0].State);
        Assert.IsNotNull(result.Trials[0].Model);
        Assert.AreEqual(SweepTrialState.Stopped, result.Trials[1].State);
        Assert.AreEqual(2, result.Trials[1].ChainCount);
        Assert.IsNull(result.Trials[1].Metric);
        result.DisposeModels();
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    [DataRow(true)]
    [DataRow(false)]
    public void ACancelledSweepReturnsWhatIsDone(bool byToken)
    {
        using var source = new CancellationTokenSource();
        var result = _mlContext.Over(Sweeps.Rates(1e-3, 3e-2, 1e-1), _ => _mlContext.Tuning(_source))
            .SetMonitor(new TrialRecorder(trial =>
            {
                if (trial.Id != 2)
                    return;
                if (byToken)
                    source.Cancel();
                else
                    CancelExecution();
            })).RunAsync(source.Token).GetAwaiter().GetResult();
        Assert.HasCount(2, result.Trials);
        Assert.IsNotNull(result.Best.Model);
        result.DisposeModels();
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    [DataRow(true)]
    [DataRow(false)]
    public void CancellingEndsATrainingAndIsItsReason(bool byToken)
    {
        using var source = new CancellationTokenSource();
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Over(Sweeps.Rates(1, 2), _ =>
        {
            var canceller = new Thread(() =>
            {
                Thread.Sleep(TimeSpan.FromSeconds(Soon));
                if (byToken)
                    source.Cancel();
                else
                    CancelExecution();
            });
            canceller.Start();
            return _mlContext.Tuning(_source, steps: ManySteps);
        }).RunAsync(source.Token).GetAwaiter().GetResult());
        Assert.AreEqual("No trial of the sweep completed.\nTrial 1 (rate = 1): Stopped: " +
            (byToken ? "The sweep was cancelled." : "The MLContext's execution was cancelled."), error.Message);
    }

    [TestMethod]
    public void ASweepThatWasCancelledBeforehandTriesNothing()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Over(Sweeps.Rates(1), _ => throw new FormatException())
            .RunAsync(new CancellationToken(canceled: true)).GetAwaiter().GetResult());
        Assert.AreEqual("No trial of the sweep was run: The sweep was cancelled.", error.Message);
    }

    [TestMethod]
    public void AnExceptionOfCancellationThatNobodyAskedForIsAFailure()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Over(Sweeps.Rates(1),
            _ => FakeEstimator.Throwing(new OperationCanceledException("by itself"))).Run());
        Assert.Contains("Failed: OperationCanceledException: by itself", error.Message);
    }

    [TestMethod]
    public void AnEstimatorIsTheUsersOwnAgainAfterItsTrial()
    {
        var estimator = _mlContext.Tuning(_source);
        _mlContext.Over(Sweeps.Rates(1), _ => estimator).Run().DisposeModels();
        (estimator.Fit(_mlContext.Labelled()) as IDisposable)!.Dispose();
    }

    [TestMethod]
    public void WhatIsEstimatedToTakeTooMuchMemoryIsRefusedBeforeItIsFitted()
    {
        var recorder = new TrialRecorder();
        Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Over(Sweeps.Rates(3e-2), _ => _mlContext.Tuning(_source))
            .SetMaximumMemoryUsageInMegaByte(0.001).SetMonitor(recorder).Run());
        var trial = recorder.Trials.Single();
        Assert.AreEqual(SweepTrialState.Refused, trial.State);
        Assert.AreEqual(0, trial.TrainingSeconds);
        Assert.IsGreaterThan(1048, trial.PeakMemory);
        Assert.StartsWith("Fitting is estimated to take ", trial.Error!);
        Assert.Contains("SetMaximumMemoryUsageInMegaByte", trial.Error!);
    }

    [TestMethod]
    public void WhatTookTooMuchMemoryIsRefusedAfterwards()
    {
        var result = _mlContext.Over(Sweeps.Rates(1, 2), settings => new FakeEstimator(_ =>
        {
            if (settings.Get<double>("rate") == 1)
            {
                using var large = torch.ones(100 << 20, dtype: torch.uint8);
                GC.KeepAlive(large);
            }
            return _mlContext.Scorer(_model);
        })).SetMetric("rows", _ => 1, isMaximized: true).SetMaximumMemoryUsageInMegaByte(50).Run();
        Assert.AreEqual(SweepTrialState.Refused, result.Trials[0].State);
        Assert.StartsWith("Fitting took ", result.Trials[0].Error!);
        Assert.IsGreaterThan(90L << 20, result.Trials[0].PeakMemory);
        Assert.IsTrue(result.Trials.Skip(1).All(trial => trial.State == SweepTrialState.Completed), result.ToString());
        result.DisposeModels();
    }

    private IEstimator<ITransformer> Expansion(int steps)
    {
        var options = Estimators.Expansion.FromNothing(steps, 4, 4);
        return _mlContext.Transforms.ChainExpansion(options);
    }

    // ML.NET's own experiments cancel this way; the method is not public.
    private void CancelExecution() => typeof(MLContext)
        .GetMethod("CancelExecution", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)!
        .Invoke(_mlContext, null);
}
