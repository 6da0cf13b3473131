using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Sweeps over the chain counts of a fitted model.</summary>
[TestClass, DoNotParallelize]
public sealed class ModelSweepTests
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(4, 4, 4);
    private readonly ElasticScoringTransformer _source;
    private readonly ITransformer _fitted;

    public ModelSweepTests()
    {
        _source = _mlContext.Scorer(_model);
        var options = Sweeps.Options(_source, rate: 3e-2, steps: 6);
        options.FrozenChains = 0;
        _fitted = _mlContext.Transforms.Conversion.MapValueToKey("Label", "Class")
            .Append(_mlContext.Transforms.ChainTuning(options)).Fit(_mlContext.Labelled());
    }

    [TestCleanup]
    public void Dispose()
    {
        (_fitted as IDisposable)?.Dispose();
        _source.Dispose();
        _model.Dispose();
    }

    [TestMethod]
    public void EveryChainCountIsATrialWithItsMetricAndAModel()
    {
        var recorder = new TrialRecorder();
        var result = Sweep().SetMonitor(recorder).Run();
        Assert.HasCount(3, result.Trials);
        CollectionAssert.AreEqual(result.Trials.ToArray(), recorder.Trials);
        foreach (var trial in result.Trials)
        {
            var count = trial.ChainCount;
            Assert.AreEqual(trial.Id, count);
            Assert.AreEqual(SweepTrialState.Completed, trial.State);
            Assert.IsNull(trial.Error);
            Assert.IsEmpty(trial.Settings.Values);
            using var view = (IDisposable)_fitted.WithChainCount(count);
            var expected = _mlContext.MulticlassClassification.Evaluate(((ITransformer)view).Transform(_mlContext.Labelled()));
            Assert.AreEqual(expected.LogLoss, trial.Metric);
            Assert.IsNull(trial.MetricDeviation);
            Assert.AreEqual(count, trial.MedianLatency);
            Assert.AreEqual(2 * count, trial.Percentile95Latency);
            Assert.AreEqual(1000.0 / count, trial.RowsPerSecond);
            Assert.AreEqual(0, trial.TrainingSeconds);
            Assert.AreEqual(_model.ParameterCount(count), trial.Parameters);
            Assert.IsGreaterThanOrEqualTo(4 * trial.Parameters, trial.PeakMemory);
            CollectionAssert.AreEqual(_mlContext.Predict((ITransformer)view, Tuning.Data).Scores(),
                _mlContext.Predict(trial.Model!, Tuning.Data).Scores());
        }
        result.DisposeModels();
        _ = _mlContext.Predict(_fitted, Tuning.Data); // which is the caller's, and usable
    }

    [TestMethod]
    public void LatencyIsMeasuredAtTheBatchSize()
    {
        var sweep = _mlContext.CoLM().CreateSweep().SetModel(_fitted).SetDataset(_mlContext.Labelled(), _mlContext.Labelled())
            .SetMetric(SweepMetric.MicroAccuracy).SetLatencyBatchSize(4);
        var result = sweep.Run();
        Assert.AreEqual(4, result.LatencyBatchSize);
        foreach (var trial in result.Trials)
        {
            Assert.IsGreaterThan(0, trial.MedianLatency!.Value);
            Assert.IsGreaterThanOrEqualTo(trial.MedianLatency.Value, trial.Percentile95Latency!.Value);
            Assert.IsGreaterThan(0, trial.RowsPerSecond!.Value);
        }
        result.DisposeModels();
    }

    [TestMethod]
    public void TheLogTellsOfEveryTrial()
    {
        var messages = new List<string>();
        _mlContext.Log += (_, entry) => messages.Add(entry.Message);
        var result = Sweep().Run();
        foreach (var trial in result.Trials)
        {
            var expected = FormattableString.Invariant($"Trial {trial.Id}, chain count {trial.ChainCount}: LogLoss {trial.Metric:G6}, ");
            Assert.ContainsSingle(message => message.Contains(expected, StringComparison.Ordinal), messages);
        }
        result.DisposeModels();
    }

    [TestMethod]
    public void TheSameSweepRunsAgain()
    {
        var sweep = Sweep();
        var first = sweep.Run();
        var second = sweep.Run();
        CollectionAssert.AreEqual(first.Describe(), second.Describe());
        first.DisposeModels();
        second.DisposeModels();
    }

    [TestMethod]
    public void AMetricOfOnesOwnGetsTheScoredRows()
    {
        var seen = new List<string>();
        var result = Sweep().SetMetric("rows", scored =>
        {
            seen.Add(string.Join(' ', scored.Schema.Where(column => !column.IsHidden).Select(column => column.Name)));
            return seen.Count;
        }, isMaximized: false).Run();
        Assert.HasCount(3, seen);
        Assert.Contains("PredictedLabel", seen[0]);
        Assert.AreEqual(1, result.Best.ChainCount);
        Assert.AreEqual("rows", result.Metric);
        result.DisposeModels();
    }

    [TestMethod]
    public void FoldsJudgeTheModelByTheirRows()
    {
        var result = _mlContext.CreateQuickSweep().SetModel(_fitted).SetDataset(_mlContext.Labelled(), fold: 3)
            .SetMetric("rows", scored => scored.GetColumn<uint>("Label").Count(), isMaximized: true).Run();
        foreach (var trial in result.Trials)
        {
            Assert.AreEqual(4, trial.Metric);
            Assert.IsNotNull(trial.MetricDeviation);
        }
        result.DisposeModels();
    }

    [TestMethod]
    public void AFailedChainCountDoesNotEndTheSweep()
    {
        var judged = 0;
        var result = Sweep().SetMetric("x", _ => ++judged == 1 ? throw new FormatException("no number") : judged, isMaximized: true).Run();
        Assert.AreEqual(SweepTrialState.Failed, result.Trials[0].State);
        Assert.AreEqual("FormatException: no number", result.Trials[0].Error);
        Assert.IsNull(result.Trials[0].Metric);
        Assert.IsNull(result.Trials[0].MedianLatency);
        Assert.IsNull(result.Trials[0].Model);
        Assert.AreEqual(3, result.Best.ChainCount);
        result.DisposeModels();
    }

    [TestMethod]
    public void AMetricThatIsNoNumberIsAFailure()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Sweep().SetMetric("x", _ => double.NaN, isMaximized: true).Run());
        Assert.AreEqual("No trial of the sweep completed.\n" + string.Join('\n', Enumerable.Range(1, 3).Select(count =>
            $"Trial {count}, chain count {count}: Failed: The metric is not a number (NaN).")), error.Message);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void TrialsOfAFolderComeBackAlsoWhereTheSweepIsOverAtOnce(bool byToken)
    {
        using var folder = new TemporaryFolder();
        var whole = Sweep().SetCheckpoint(folder.Path).Run();
        var sweep = Sweep().SetCheckpoint(folder.Path);
        var again = byToken
            ? sweep.RunAsync(new CancellationToken(canceled: true)).GetAwaiter().GetResult()
            : sweep.SetTrainingTimeInSeconds(1e-6).Run();
        CollectionAssert.AreEqual(whole.Describe(), again.Describe());
        _ = _mlContext.Predict(again.Best.Model!, Tuning.Data);
        whole.DisposeModels();
        again.DisposeModels();
    }

    [TestMethod]
    public void ASweepThatEndsWhileLabelsAreReadSaysWhy() => Assert.AreEqual("No trial of the sweep was run: The sweep was cancelled.",
        Assert.ThrowsExactly<InvalidOperationException>(
            () => Sweep().RunAsync(new CancellationToken(canceled: true)).GetAwaiter().GetResult()).Message);

    [TestMethod]
    public void AMeanOverFoldsThatIsNoNumberIsAFailure()
    {
        var metrics = new Queue<double>([double.PositiveInfinity, double.NegativeInfinity, 1, 2, 3, 4]);
        var result = _mlContext.CreateQuickSweep().SetModel(_fitted).SetDataset(_mlContext.Labelled(), fold: 2)
            .SetMetric("x", _ => metrics.Dequeue(), isMaximized: true).Run();
        Assert.AreEqual(SweepTrialState.Failed, result.Trials[0].State);
        Assert.AreEqual("The metric's mean over folds is not a number (NaN).", result.Trials[0].Error);
        Assert.AreEqual(3.5, result.Best.Metric);
        result.DisposeModels();
    }

    [TestMethod]
    public void NoTensorIsLeftBehind()
    {
        Sweep().Run().DisposeModels();
        var before = LiveTensors.CountSettled();
        Sweep().Run().DisposeModels();
        Assert.AreEqual(before, LiveTensors.Count);
    }

    [TestMethod]
    public void WhatASweepLacksIsSaid()
    {
        var data = _mlContext.Labelled();
        Says("exactly one of SetModel and SetPipeline, found neither", sweep => sweep.SetDataset(data, data));
        Says("exactly one of SetModel and SetPipeline, found both", sweep => Sweep().SetPipeline(Sweeps.Rates(1), _ => null!));
        Says("its data by SetDataset", sweep => sweep.SetModel(_fitted));
        Says("a metric by SetMetric", sweep => sweep.SetModel(_fitted).SetDataset(data, data));

        void Says(string message, Func<ChainSweep, ChainSweep> set) => Assert.Contains(message,
            Assert.ThrowsExactly<InvalidOperationException>(() => set(_mlContext.CreateQuickSweep()).Run()).Message);
    }

    [TestMethod]
    public void WrongSettingsAreRefusedAtOnce()
    {
        var (sweep, data) = (_mlContext.CreateQuickSweep(), _mlContext.Labelled());
        Refuses("fold must be at least 2, found 1", () => sweep.SetDataset(data, fold: 1));
        Refuses("The data has no column 'Who', the sampling key. It has ", () => sweep.SetDataset(data, fold: 2, "Who"));
        Refuses("count must be at least 1, found 0", () => sweep.SetMaxModelToExplore(0));
        Refuses("seconds must be above 0, found 0", () => sweep.SetTrainingTimeInSeconds(0));
        Refuses("seconds must be above 0, found NaN", () => sweep.SetTrainingTimeInSeconds(double.NaN));
        Refuses("seconds must be above 0, found -1.5", () => sweep.SetTrialTimeInSeconds(-1.5));
        Refuses("megabytes must be above 0, found 0", () => sweep.SetMaximumMemoryUsageInMegaByte(0));
        Refuses("rows must be from 1 to 65536, found 0", () => sweep.SetLatencyBatchSize(0));
        Refuses("metric must be a SweepMetric, found 99", () => sweep.SetMetric((SweepMetric)99));
        Refuses("The name of the label's column is empty", () => sweep.SetMetric(SweepMetric.Loss, ""));
        Refuses("The name of the metric is empty", () => sweep.SetMetric("", _ => 0, true));
        Refuses("The space is empty", () => sweep.SetPipeline(new(), _ => null!));
        Refuses("There is no tolerance", () => sweep.SetCascadeCalibration(data));
        Refuses("tolerances must be numbers of at least 0, found -1", () => sweep.SetCascadeCalibration(data, 0.1, -1));
        Refuses("A tolerance is there twice", () => sweep.SetCascadeCalibration(data, 0.1, 0.1));
        Refuses("NUL", () => sweep.SetCheckpoint("a\0b"));
        Refuses("exactly one ElasticScoringTransformer, found 0", () => sweep.SetModel(
            _mlContext.Transforms.CopyColumns("A", "Text").Fit(data)));
        Assert.Throws<ArgumentException>(() => sweep.SetCheckpoint(" "));
        foreach (var action in (Action[])
            [() => sweep.SetModel(null!), () => sweep.SetPipeline(null!, _ => null!), () => sweep.SetPipeline(Sweeps.Rates(1), null!),
            () => sweep.SetDataset(null!, data), () => sweep.SetDataset(data, null!), () => sweep.SetDataset(null!, 2),
            () => sweep.SetMetric("x", null!, true), () => sweep.SetMonitor(null!), () => sweep.SetCheckpoint(null!)])
        {
            Assert.ThrowsExactly<ArgumentNullException>(action);
        }

        static void Refuses(string message, Action action) => Assert.Contains(message, Assert.Throws<ArgumentException>(action).Message);
    }

    [TestMethod]
    public void AMetricThatDoesNotFitTheModelIsRefusedBeforeAnyTrial()
    {
        var recorder = new TrialRecorder();
        Assert.Contains("RSquared", Assert.ThrowsExactly<ArgumentException>(
            () => Sweep().SetMetric(SweepMetric.RSquared).SetMonitor(recorder).Run()).Message);
        var unlabelled = _mlContext.Rows("a", "b");
        Assert.Contains("The validation set must go through the same transforms as the training data", Assert.ThrowsExactly<ArgumentException>(
            () => Sweep().SetDataset(unlabelled, unlabelled).SetMonitor(recorder).Run()).Message);
        Assert.IsEmpty(recorder.Trials);
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void ASweepRunsOnceAtATimeOnAThreadOfItsOwn()
    {
        using var inside = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        var thread = 0;
        var sweep = Sweep().SetMetric("x", _ =>
        {
            thread = Environment.CurrentManagedThreadId;
            inside.Set();
            goOn.Wait();
            return 1;
        }, isMaximized: true);
        var running = sweep.RunAsync();
        inside.Wait();
        Assert.Contains("runs already", Assert.ThrowsExactly<InvalidOperationException>(() => sweep.Run()).Message);
        goOn.Set();
        running.Result.DisposeModels();
        Assert.AreNotEqual(Environment.CurrentManagedThreadId, thread);
        sweep.Run().DisposeModels();
    }

    private ChainSweep Sweep() => _mlContext.CreateQuickSweep().SetModel(_fitted)
        .SetDataset(_mlContext.Labelled(), _mlContext.Labelled()).SetMetric(SweepMetric.LogLoss);
}
