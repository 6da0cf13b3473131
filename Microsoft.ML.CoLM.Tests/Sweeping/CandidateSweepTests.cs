using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;
using TorchSharp;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Sweeps over candidates that are fitted.</summary>
[TestClass, DoNotParallelize]
public sealed class CandidateSweepTests
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(4, 4);
    private readonly ElasticScoringTransformer _source;

    public CandidateSweepTests() => _source = _mlContext.Scorer(_model);

    [TestCleanup]
    public void Dispose()
    {
        _source.Dispose();
        _model.Dispose();
    }

    [TestMethod]
    public void EveryCandidateOfAGridIsFittedOnceAndScoredAtEveryChainCount()
    {
        var (data, fits) = (_mlContext.Labelled(), 0);
        var result = _mlContext.Over(Sweeps.Rates(1e-3, 3e-2, 1e-1), settings =>
        {
            fits++;
            return Pipeline(settings);
        }).SetMetric(SweepMetric.LogLoss).Run();
        Assert.AreEqual(3, fits);
        Assert.HasCount(6, result.Trials);
        foreach (var trial in result.Trials)
        {
            var rate = trial.Settings.Get<double>("rate");
            Assert.AreEqual(new[] { 1e-3, 3e-2, 1e-1 }[(trial.Id - 1) / 2], rate);
            Assert.AreEqual(1 + (trial.Id - 1) % 2, trial.ChainCount);
            Assert.AreEqual(SweepTrialState.Completed, trial.State);
            Assert.IsGreaterThan(0, trial.TrainingSeconds);
            Assert.IsFalse(trial.Settings.CancellationToken.CanBeCanceled);

            // What its text says, by hand.
            var fitted = Pipeline(new SweepSettings().Set("rate", rate)).Fit(data);
            var view = fitted.WithChainCount(trial.ChainCount);
            Assert.AreEqual(_mlContext.MulticlassClassification.Evaluate(view.Transform(data)).LogLoss, trial.Metric);
            if (trial.Model is { } kept)
                CollectionAssert.AreEqual(_mlContext.Predict(view, Tuning.Data).Scores(), _mlContext.Predict(kept, Tuning.Data).Scores());
            (view as IDisposable)?.Dispose();
            (fitted as IDisposable)?.Dispose();
        }
        Sweeps.HasTheModelsOfItsFrontier(result);
        result.DisposeModels();
    }

    [TestMethod]
    public void FormatsAreTriedBesideChainCounts()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 2);
        model.Save(folder["model"]);
        var rows = _mlContext.Rows(TextModels.Texts);
        ChainSweep Sweep() => _mlContext.CreateQuickSweep()
            .SetPipeline(new SweepSpace().Choice<WeightFormat?>("format", null, WeightFormat.Int8, WeightFormat.Int4), settings =>
                _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
                {
                    ModelFolder = folder["model"],
                    Format = settings.Get<WeightFormat?>("format"),
                }))
            .SetDataset(rows, rows).SetMetric(SweepMetric.Loss).SetCheckpoint(folder["sweep"]);
        var result = Sweep().Run();
        Assert.HasCount(6, result.Trials);
        WeightFormat?[] formats = [null, WeightFormat.Int8, WeightFormat.Int4];
        foreach (var trial in result.Trials)
        {
            Assert.AreEqual(formats[(trial.Id - 1) / 2], trial.Settings.Get<WeightFormat?>("format"));
            using var quantised = model.Quantize([.. Enumerable.Repeat(formats[(trial.Id - 1) / 2], 2)]);
            using var scorer = _mlContext.Scorer(quantised, trial.ChainCount);
            Assert.AreEqual(_mlContext.CoLM().EvaluateLanguageModel(scorer.Transform(rows)).Loss, trial.Metric!.Value, 1e-6);
            Assert.AreEqual(model.ParameterCount(trial.ChainCount), trial.Parameters);
        }
        result.SaveJson(folder["sweep.json"]);
        Assert.Contains("{\"name\":\"format\",\"type\":\"Microsoft.ML.CoLM.WeightFormat\",\"value\":null}",
            string.Concat(File.ReadAllText(folder["sweep.json"]).Where(character => !char.IsWhiteSpace(character))));
        var again = Sweep().Run();
        CollectionAssert.AreEqual(result.Describe(), again.Describe());
        result.DisposeModels();
        again.DisposeModels();
    }

    [TestMethod]
    public void ARandomSearchTriesSoManyCandidatesAndTheSameAgain()
    {
        ChainSweep Sweep() => _mlContext.Over(new SweepSpace().Range("rate", 1e-4, 1e-1, logBase: true), Pipeline)
            .SetRandomSearch(7).SetMaxModelToExplore(3);
        var (first, second) = (Sweep().Run(), Sweep().Run());
        Assert.HasCount(3, first.Trials.Select(trial => trial.Settings.Get<double>("rate")).Distinct().ToArray());
        CollectionAssert.AreEqual(first.Describe(), second.Describe());
        first.DisposeModels();
        second.DisposeModels();
    }

    [TestMethod]
    public void ASpaceThatIsExhaustedEndsTheSweep()
    {
        var result = _mlContext.Over(Sweeps.Rates(1e-3, 3e-2), Pipeline).SetRandomSearch(7).SetMaxModelToExplore(100).Run();
        Assert.HasCount(4, result.Trials);
        result.DisposeModels();
    }

    [TestMethod]
    public void AFirstCandidateThatFailsDoesNotEndTheSweep()
    {
        var result = _mlContext.Over(new SweepSpace().Choice("what", "create", "fit", "null", "chain", "good"), settings =>
            settings.Get<string>("what") switch
            {
                "create" => throw new FormatException("no pipeline"),
                "fit" => FakeEstimator.Throwing(new InvalidOperationException("wrapped", new IOException("no disk"))),
                "null" => null!,
                "chain" => _mlContext.Transforms.CopyColumns("Copy", "Text"),
                _ => _mlContext.Tuning(_source),
            }).Run();
        string[] errors =
        [
            "FormatException: no pipeline",
            "InvalidOperationException: wrapped <- IOException: no disk",
            "InvalidOperationException: The candidate's code gave null, not an estimator.",
        ];
        for (var i = 0; i < errors.Length; i++)
            Assert.AreEqual(errors[i], result.Trials[i].Error);
        Assert.Contains("exactly one ElasticScoringTransformer, found 0", result.Trials[3].Error!);
        foreach (var failed in result.Trials.Take(4))
        {
            Assert.AreEqual(SweepTrialState.Failed, failed.State);
            Assert.AreEqual(0, failed.ChainCount);
            Assert.IsNull(failed.Metric);
        }
        Assert.HasCount(6, result.Trials);
        Sweeps.HasTheModelsOfItsFrontier(result);
        result.DisposeModels();
    }

    [TestMethod]
    public void ASweepInWhichAllFailedSaysEachReason()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Over(Sweeps.Rates(0.5, 2), settings =>
            throw new FormatException(FormattableString.Invariant($"rate {settings.Get<double>("rate")}"))).Run());
        Assert.AreEqual("No trial of the sweep completed.\nTrial 1 (rate = 0.5): Failed: FormatException: rate 0.5\n" +
            "Trial 2 (rate = 2): Failed: FormatException: rate 2", error.Message);
    }

    [TestMethod]
    public void ASettingThatTheSpaceLacksIsTheTrialsReason()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Over(Sweeps.Rates(0.5), settings =>
            _mlContext.Tuning(_source, settings.Get<double>("speed"))).Run());
        Assert.Contains("There is no setting 'speed'. The settings are: 'rate'.", error.Message);
    }

    [TestMethod]
    public void APipelineWithTwoModelsFails()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Over(Sweeps.Rates(0.5), _ =>
            _mlContext.Tuning(_source).Append(_mlContext.Transforms.ElasticScoring(
                new ElasticScoringEstimator.Options { Model = _model }))).Run());
        Assert.Contains("exactly one ElasticScoringTransformer, found 2", error.Message);
    }

    [TestMethod]
    public void AMetricThatDoesNotFitIsTheTrialsReason()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(
            () => _mlContext.Over(Sweeps.Rates(0.5), Pipeline).SetMetric(SweepMetric.Perplexity).Run());
        Assert.Contains("Trial 1, chain count 2 (rate = 0.5): Failed: ArgumentException: ", error.Message);
        Assert.Contains("Perplexity", error.Message);
    }

    [TestMethod]
    public void AValidationSetWithoutWhatIsMappedSaysThatItMustGoThroughTheSameTransforms()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Over(Sweeps.Rates(0.5), Pipeline)
            .SetDataset(_mlContext.Labelled(), _mlContext.Rows("a", "b")).Run());
        Assert.Contains("The validation set", error.Message);
        Assert.Contains("must go through the same transforms as the training data", error.Message);
    }

    [TestMethod]
    public void WhereATrainerReadsTheFeaturesOnlyItsOwnChainCountIsATrial()
    {
        var result = _mlContext.Over(new SweepSpace().Choice("count", 1, 2),
            settings => _mlContext.FeaturesPipeline(_model, settings.Get<int>("count"))).Run();
        CollectionAssert.AreEqual(new[] { 1, 2 }, result.Trials.Select(trial => trial.ChainCount).ToArray());
        Assert.IsTrue(result.Trials.All(trial => trial.State == SweepTrialState.Completed), result.ToString());
        _ = _mlContext.Predict(result.Best.Model!, Tuning.Data);
        result.DisposeModels();
    }

    [TestMethod]
    public void AnEstimatorWithoutAPipelineAroundItIsACandidate()
    {
        var rows = _mlContext.Keyed();
        var result = _mlContext.Over(Sweeps.Rates(3e-2), settings =>
            _mlContext.Transforms.ChainTuning(Sweeps.Options(_source, settings.Get<double>("rate"), steps: 1)))
            .SetDataset(rows, rows).Run();
        Assert.HasCount(2, result.Trials);
        result.DisposeModels();
    }

    [TestMethod]
    public void WeightsOfCandidatesThatAreNotKeptAreFreedAndOthersWithTheirModels()
    {
        var made = new FittedModels();
        var metrics = new Queue<double>([1, 1, 2, 2, 0, 0, 3, double.NaN]);
        var result = _mlContext.Over(new SweepSpace().Choice("candidate", 1, 2, 3, 4), settings => made.Of(
            settings.Get<int>("candidate") == 3 ? new FakeEstimator(FitWithMuchMemory) : _mlContext.Tuning(_source)))
            .SetMetric("x", _ => metrics.Dequeue(), isMaximized: true).Run();
        Assert.HasCount(4, made.Models);
        for (var i = 0; i < 4; i++)
        {
            var isKept = result.Trials.Any(trial => trial.Settings.Get<int>("candidate") == i + 1 && trial.Model is not null);
            Assert.AreEqual(isKept, !FittedModels.IsDisposed(made.Models[i]), $"candidate {i + 1}");
        }
        Assert.IsFalse(FittedModels.IsDisposed(made.Models[3])); // the best at one chain
        Assert.IsTrue(FittedModels.IsDisposed(made.Models[2]), result.ToString()); // worse, and larger
        result.DisposeModels();
        Assert.IsTrue(made.Models.All(FittedModels.IsDisposed));
        _ = _source.Transform(_mlContext.Rows("a"));
    }

    [TestMethod]
    public void CandidatesThatWereGrownFromOneModelShareItsWeights()
    {
        var metrics = new Queue<double>([1, 1, 5, 4, 1, 1]);
        var result = _mlContext.Over(Sweeps.Rates(1e-3, 3e-2), settings =>
        {
            var options = Sweeps.Options(_source, settings.Get<double>("rate"), steps: 1);
            options.AddedChains = [4];
            return _mlContext.Transforms.Conversion.MapValueToKey("Label", "Class").Append(_mlContext.Transforms.ChainTuning(options));
        }).SetMetric("x", _ => metrics.Dequeue(), isMaximized: true).Run();
        var (one, other) = (Parameters(result.Trials[2]), Parameters(result.Trials[3]));
        foreach (var name in one.Keys)
            Assert.AreEqual(!name.EndsWith("chain_3", StringComparison.Ordinal), Tuning.ShareMemory(one[name], other[name]), name);
        (result.Trials[2].Model as IDisposable)!.Dispose();
        _ = _mlContext.Predict(result.Trials[3].Model!, Tuning.Data);
        result.DisposeModels();

        static Dictionary<string, torch.Tensor> Parameters(ChainTrial trial) => ElasticChain.Find(trial.Model!).Model.ChainParameters()
            .Where(entry => entry.name.Contains("proj", StringComparison.Ordinal))
            .ToDictionary(entry => entry.name, entry => (torch.Tensor)entry.parameter);
    }

    private ITransformer FitWithMuchMemory(IDataView data)
    {
        using var large = torch.ones(64 << 20, dtype: torch.uint8);
        GC.KeepAlive(large);
        return _mlContext.Tuning(_source).Fit(data);
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void ATrainingThatItsOwnTokenEndedIsNotRanked()
    {
        using var source = new CancellationTokenSource();
        var result = _mlContext.Over(Sweeps.Rates(1e-3, 3e-2), settings =>
        {
            var options = Sweeps.Options(_source, rate: 3e-2, steps: 3);
            if (settings.Get<double>("rate") == 1e-3)
            {
                options.CancellationToken = source.Token;
                options.Progress = new StepRecorder(_ => source.Cancel());
            }
            return _mlContext.Transforms.Conversion.MapValueToKey("Label", "Class").Append(_mlContext.Transforms.ChainTuning(options));
        }).Run();
        Assert.AreEqual(SweepTrialState.Stopped, result.Trials[0].State);
        Assert.StartsWith("Training was cancelled after 1 steps", result.Trials[0].Error!);
        Assert.IsNull(result.Trials[0].Metric);
        Assert.HasCount(3, result.Trials);
        Sweeps.HasTheModelsOfItsFrontier(result);
        result.DisposeModels();
    }

    private sealed class StepRecorder(Action<TrainingProgress> report) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => report(value);
    }

    [TestMethod]
    public void AMonitorThatThrowsEndsTheSweepAndLeavesNoModel()
    {
        var made = new FittedModels();
        Assert.ThrowsExactly<FormatException>(() => _mlContext.Over(Sweeps.Rates(1, 2), _ => made.Of(_mlContext.Tuning(_source)))
            .SetMonitor(new TrialRecorder(_ => throw new FormatException())).Run());
        Assert.IsTrue(made.Models.All(FittedModels.IsDisposed));
    }

    [TestMethod]
    public void AMonitorMayDisposeModels()
    {
        var result = _mlContext.Over(Sweeps.Rates(1e-3, 3e-2, 1e-1), Pipeline)
            .SetMonitor(new TrialRecorder(trial => (trial.Model as IDisposable)?.Dispose())).Run();
        Assert.IsTrue(result.Trials.All(trial => trial.State == SweepTrialState.Completed), result.ToString());
        result.DisposeModels();
    }

    [TestMethod]
    public void ModelsAreThereWhenTheMonitorHearsOfThem()
    {
        var recorder = new TrialRecorder(trial => Assert.AreEqual(trial.Id == 1 || trial.Model is not null, trial.Model is not null));
        var result = _mlContext.Over(Sweeps.Rates(3e-2), Pipeline).SetMonitor(recorder).Run();
        CollectionAssert.AreEqual(result.Trials.ToArray(), recorder.Trials);
        result.DisposeModels();
    }

    private IEstimator<ITransformer> Pipeline(SweepSettings settings) => _mlContext.Tuning(_source, settings.Get<double>("rate"));
}
