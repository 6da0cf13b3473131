using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Sweeping;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Sweeps that go on from a folder.</summary>
[TestClass, DoNotParallelize]
public sealed class SweepCheckpointTests : IDisposable
{
    private const string Log = "sweep-trials.jsonl";
    private const string Header = "sweep.json";

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(4, 4);
    private readonly ElasticScoringTransformer _source;
    private readonly TemporaryFolder _folder = new();

    public SweepCheckpointTests() => _source = _mlContext.Scorer(_model);

    public void Dispose()
    {
        _source.Dispose();
        _model.Dispose();
        _folder.Dispose();
    }

    [TestMethod]
    public void AFinishedSweepIsReadAgainWithItsModelsAndNothingIsFitted()
    {
        var first = Candidates().Run();
        var recorder = new TrialRecorder();
        var second = Candidates(_ => throw new FormatException()).SetMonitor(recorder).Run();
        Assert.IsEmpty(recorder.Trials);
        AreTheSame(first, second);
        foreach (var (one, other) in first.Trials.Zip(second.Trials).Where(pair => pair.First.Model is not null))
            CollectionAssert.AreEqual(_mlContext.Predict(one.Model!, Tuning.Data).Scores(), _mlContext.Predict(other.Model!, Tuning.Data).Scores());
        first.DisposeModels();
        second.DisposeModels();
        AreZipsOf(second);
    }

    [TestMethod]
    public void ASweepThatWasCancelledGoesOnWithTheNextCandidate()
    {
        var whole = Candidates(folder: null).Run();
        using (var source = new CancellationTokenSource())
        {
            var part = Candidates().SetMonitor(new TrialRecorder(trial => source.Cancel())).RunAsync(source.Token).GetAwaiter().GetResult();
            Assert.HasCount(2, part.Trials);
            part.DisposeModels();
        }
        var recorder = new TrialRecorder();
        var rest = Candidates().SetMonitor(recorder).Run();
        CollectionAssert.AreEqual(new[] { 3, 4, 5, 6 }, recorder.Trials.Select(trial => trial.Id).ToArray());
        CollectionAssert.AreEqual(whole.Describe(), rest.Describe());
        Sweeps.HasTheModelsOfItsFrontier(rest);
        AreZipsOf(rest);
        whole.DisposeModels();
        rest.DisposeModels();
    }

    [TestMethod]
    public void ACandidateThatTheSweepsEndCutIsTriedAgainAndOneOfItsOwnLimitIsNot()
    {
        ChainSweep Sweep(int steps) => _mlContext.Over(new SweepSpace().Choice("candidate", 1, 2), settings =>
            _mlContext.Tuning(_source, steps: settings.Get<int>("candidate") == 1 ? steps : 1)).SetCheckpoint(_folder.Path);
        Assert.ThrowsExactly<InvalidOperationException>(() => Sweep(1_000_000).SetTrainingTimeInSeconds(0.3).Run());
        Assert.AreEqual(0, new FileInfo(_folder[Log]).Length);
        var result = Sweep(1_000_000).SetTrialTimeInSeconds(0.5).Run();
        Assert.AreEqual(SweepTrialState.Stopped, result.Trials[0].State);
        result.DisposeModels();
        result = Sweep(1).Run();
        Assert.AreEqual(SweepTrialState.Stopped, result.Trials[0].State);
        Assert.HasCount(3, result.Trials);
        result.DisposeModels();
    }

    [TestMethod]
    public void TheTimeOfEarlierRunsCounts()
    {
        Candidates().SetMaxModelToExplore(1).Run().DisposeModels();
        var recorder = new TrialRecorder();
        Candidates().SetTrainingTimeInSeconds(1e-3).SetMonitor(recorder).Run().DisposeModels();
        Assert.IsEmpty(recorder.Trials);
        Candidates().SetMonitor(recorder).Run().DisposeModels();
        Assert.HasCount(4, recorder.Trials);
    }

    [TestMethod]
    public void TheTimeToOpenTheFolderCounts()
    {
        var slow = new StoppableDataView(_mlContext.Labelled(), () => Thread.Sleep(20));
        Assert.StartsWith("No trial of the sweep was run: ", Assert.ThrowsExactly<InvalidOperationException>(
            () => Candidates().SetDataset(slow, slow).SetTrainingTimeInSeconds(0.2).Run()).Message);
    }

    [TestMethod]
    public void ALogThatIsCutAtAnyByteLosesNoMoreThanTheLineThatIsCut()
    {
        var whole = OfModel().Run();
        var log = File.ReadAllBytes(_folder[Log]);
        for (var length = 0; length <= log.Length; length += 7)
        {
            File.WriteAllBytes(_folder[Log], log[..length]);
            var recorder = new TrialRecorder();
            var result = OfModel().SetMonitor(recorder).Run();
            AreTheSame(whole, result, exactly: false);
            Assert.HasCount(2 - log.AsSpan(0, length).Count((byte)'\n'), recorder.Trials);
            result.DisposeModels();
        }
        whole.DisposeModels();
    }

    [TestMethod]
    public void ASweepOfCandidatesGoesOnBehindEachOfItsLines()
    {
        var whole = Candidates(folder: null).Run();
        for (var done = 0; done < 3; done++)
        {
            foreach (var file in Directory.GetFiles(_folder.Path))
                File.Delete(file);
            if (done > 0)
                Candidates().SetMaxModelToExplore(done).Run().DisposeModels();
            else
                Assert.ThrowsExactly<InvalidOperationException>(() => Candidates().SetTrainingTimeInSeconds(1e-6).Run());

            // What a kill leaves of the next candidate: its zip, or a part of it, and a part of its line.
            File.AppendAllText(_folder[Log], "{\"candidate\":");
            File.WriteAllBytes(_folder[$"sweep-candidate-{done + 1}.zip"], [1, 2, 3]);
            File.WriteAllBytes(_folder[$"sweep-candidate-{done + 1}.zip.abc.colm-tmp"], [1, 2, 3]);
            var result = Candidates().Run();
            CollectionAssert.AreEqual(whole.Describe(), result.Describe());
            Sweeps.HasTheModelsOfItsFrontier(result);
            AreZipsOf(result);
            Assert.IsEmpty(Directory.GetFiles(_folder.Path, "*.colm-tmp"));
            result.DisposeModels();
        }
        whole.DisposeModels();
    }

    [TestMethod]
    public void EveryNumberComesBackExactly()
    {
        double[] metrics = [0.1 + 0.2, double.NegativeInfinity];
        var next = 0;
        var first = OfModel().SetMetric("x", _ => metrics[next++], isMaximized: true).Run();
        var second = OfModel().SetMetric("x", _ => throw new FormatException(), isMaximized: true).Run();
        AreTheSame(first, second);
        Assert.AreEqual(0.1 + 0.2, second.Trials[0].Metric);
        Assert.AreEqual(double.NegativeInfinity, second.Trials[1].Metric);
        first.DisposeModels();
        second.DisposeModels();
    }

    [TestMethod]
    public void AFolderOfAnotherSweepSaysWhatDiffers()
    {
        Candidates().Run().DisposeModels();
        var data = _mlContext.Labelled();
        Says("Metric was MicroAccuracy of column 'Label' and is LogLoss of column 'Label'", sweep => sweep.SetMetric(SweepMetric.LogLoss));
        Says("Search was grid and is random, seed 3", sweep => sweep.SetRandomSearch(3));
        Says("Space 'rate' was Double of 0.001 | 0.03 | 0.1 and is Double of 0.001", sweep => sweep.SetPipeline(Sweeps.Rates(1e-3), _ => null!));
        Says("Space 'heads' was none", sweep => sweep.SetPipeline(Sweeps.Rates(1e-3).Choice("heads", 1, 2), _ => null!));
        Says("Folds was none and is 2, sampling key none", sweep => sweep.SetDataset(data, 2));
        Says("Latency batch size was 1 and is 8", sweep => sweep.SetLatencyBatchSize(8));
        Says("Validation data was ", sweep => sweep.SetDataset(data, _mlContext.Labelled(Tuning.Data[..6])));
        Says("Cascade tolerances was none and is 0.1", sweep => sweep.SetCascadeCalibration(data, 0.1));
        Assert.Contains("Seed was 1 and is 2", Assert.ThrowsExactly<ArgumentException>(() => new MLContext(seed: 2)
            .Over(Sweeps.Rates(1e-3, 3e-2, 1e-1), Pipeline).SetCheckpoint(_folder.Path).Run()).Message);
        Candidates().Run().DisposeModels();

        void Says(string message, Func<ChainSweep, ChainSweep> change)
        {
            var error = Assert.ThrowsExactly<ArgumentException>(() => change(Candidates()).Run());
            Assert.Contains(message, error.Message);
            Assert.Contains(_folder.Path, error.Message);
        }
    }

    [TestMethod]
    public void AFolderOfAnotherModelIsRefused()
    {
        OfModel().Run().DisposeModels();
        using var model = TextModels.Random(TextModels.Config(4, 4), seed: 2);
        using var other = _mlContext.Scorer(model);
        Assert.Contains("Model was ", Assert.ThrowsExactly<ArgumentException>(() => OfModel().SetModel(other).Run()).Message);
    }

    [TestMethod]
    public void AFolderOfTheSameWeightsWithOtherWindowsIsRefused()
    {
        OfModel().Run().DisposeModels();
        using var same = _mlContext.Scorer(_model);
        OfModel().SetModel(same).Run().DisposeModels();
        using var other = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = _model, Window = 16 })
            .Fit(_mlContext.Rows("a"));
        Assert.Contains("Model was ", Assert.ThrowsExactly<ArgumentException>(() => OfModel().SetModel(other).Run()).Message);
    }

    [TestMethod]
    public void AFolderOfAnotherTrainerBehindTheSameFeaturesIsRefusedAndAZipOfTheSameIsNot()
    {
        using var fitted = (IDisposable)_mlContext.FeaturesPipeline(_model, 2).Fit(_mlContext.Labelled());
        ChainSweep Sweep(object model) => _mlContext.CreateQuickSweep().SetModel((ITransformer)model)
            .SetDataset(_mlContext.Labelled(), _mlContext.Labelled()).SetMetric(SweepMetric.LogLoss).SetCheckpoint(_folder.Path);
        Sweep(fitted).Run().DisposeModels();
        _mlContext.CoLM().Save((ITransformer)fitted, _mlContext.Labelled().Schema, _folder["model.zip"]);
        using (var loaded = (IDisposable)_mlContext.CoLM().Load(_folder["model.zip"], out _))
            Sweep(loaded).Run().DisposeModels();
        using var other = (IDisposable)_mlContext.FeaturesPipeline(_model, 2).Fit(_mlContext.Labelled([.. Tuning.Data.Take(6)]));
        Assert.Contains("Model was ", Assert.ThrowsExactly<ArgumentException>(() => Sweep(other).Run()).Message);
    }

    [TestMethod]
    public void AZipOfAnotherModelInTheFolderIsRefused()
    {
        Candidates().Run().DisposeModels();
        var zip = Directory.GetFiles(_folder.Path, "*.zip")[0];
        var other = _mlContext.Tuning(_source, rate: 0.5).Fit(_mlContext.Labelled());
        _mlContext.CoLM().Save(other, _mlContext.Labelled().Schema, zip);
        (other as IDisposable)!.Dispose();
        Assert.StartsWith($"{zip}: not the model that was saved",
            Assert.ThrowsExactly<InvalidDataException>(() => Candidates().Run()).Message);
    }

    [TestMethod]
    public void DamageIsSaidByFileAndLine()
    {
        Candidates().Run().DisposeModels();
        var log = File.ReadAllBytes(_folder[Log]);
        var second = Array.IndexOf(log, (byte)'\n') + 1;
        for (var at = second; at < second + 400; at += 13)
        {
            byte[] damaged = [.. log];
            damaged[at] ^= 1;
            File.WriteAllBytes(_folder[Log], damaged);
            Says($"{_folder[Log]}, line 2: the line is damaged");
        }
        File.WriteAllBytes(_folder[Log], [.. log[second..]]);
        Says($"{_folder[Log]}, line 1: trial 1 must follow, found 3");
        File.WriteAllBytes(_folder[Log], [.. log, .. log[second..]]);
        Says($"{_folder[Log]}, line 4: candidate 2 is there twice");
        File.WriteAllBytes(_folder[Log], [.. "\n"u8]);
        Says($"{_folder[Log]}, line 1: the line is damaged");
        File.WriteAllBytes(_folder[Log], log);

        var header = File.ReadAllText(_folder[Header]);
        File.WriteAllText(_folder[Header], "{");
        Says($"{_folder[Header]}: not valid JSON of a sweep");
        File.WriteAllText(_folder[Header], "{\"format\": 7, \"sweep\": {}}");
        Says($"{_folder[Header]}: must have format 1, found 7");
        File.Delete(_folder[Header]);
        Says($"{_folder[Header]} is missing");
        File.WriteAllText(_folder[Header], header);

        var zip = Directory.GetFiles(_folder.Path, "*.zip")[0];
        var bytes = File.ReadAllBytes(zip);
        File.WriteAllBytes(zip, bytes[..^100]);
        Says(zip);
        File.Delete(zip);
        Says($"{zip} is missing");
        File.WriteAllBytes(zip, bytes);
        Candidates().Run().DisposeModels();

        void Says(string message) =>
            Assert.Contains(message, Assert.ThrowsExactly<InvalidDataException>(() => Candidates(_ => throw new FormatException()).Run()).Message);
    }

    [TestMethod]
    public void AFolderHasOneSweepAtATime()
    {
        var sweep = Candidates().SetMonitor(new TrialRecorder(trial =>
        {
            if (trial.Id == 1)
                Assert.Contains(_folder.Path, Assert.Throws<IOException>(() => Candidates().Run()).Message);
        }));
        sweep.Run().DisposeModels();
        Candidates().Run().DisposeModels();
    }

    [TestMethod]
    public void ALineIsOnTheDiskWhenTheMonitorHearsOfItsTrials()
    {
        Candidates().SetMonitor(new TrialRecorder(trial =>
        {
            using var file = new FileStream(_folder[Log], FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(file);
            Assert.Contains(FormattableString.Invariant($"\"id\":{trial.Id},"), reader.ReadToEnd());
        })).Run().DisposeModels();
    }

    [TestMethod]
    public void APipelineThatCannotBeSavedFails()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Candidates(settings => Pipeline(settings).Append(
            _mlContext.Transforms.CustomMapping<LabelledRow, LabelledRow>((_, _) => { }, contractName: null))).Run());
        Assert.Contains("Failed: The pipeline cannot be saved in the checkpoint folder. ", error.Message);
        Assert.IsEmpty(Directory.GetFiles(_folder.Path, "*.zip"));
    }

    [TestMethod]
    public void AModelWithAPartThatCannotBeSavedIsSweptAllTheSame()
    {
        using var fitted = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = _model })
            .Append(_mlContext.Transforms.CustomMapping<LabelledRow, LabelledRow>((_, _) => { }, contractName: null))
            .Fit(_mlContext.Labelled());
        var whole = OfModel().SetModel(fitted).Run();
        var again = OfModel().SetModel(fitted).Run();
        AreTheSame(whole, again);
        whole.DisposeModels();
        again.DisposeModels();
    }

    [TestMethod]
    public void AFileInTheFoldersPlaceIsRefused()
    {
        File.WriteAllText(_folder["file"], "");
        Assert.Contains("is a file", Assert.ThrowsExactly<IOException>(() => Candidates(folder: _folder["file"]).Run()).Message);
    }

    private ChainSweep Candidates() => Candidates(Pipeline, _folder.Path);

    private ChainSweep Candidates(Func<SweepSettings, IEstimator<ITransformer>> create) => Candidates(create, _folder.Path);

    private ChainSweep Candidates(string? folder) => Candidates(Pipeline, folder);

    private ChainSweep Candidates(Func<SweepSettings, IEstimator<ITransformer>> create, string? folder)
    {
        var sweep = _mlContext.Over(Sweeps.Rates(1e-3, 3e-2, 1e-1), create);
        return folder is null ? sweep : sweep.SetCheckpoint(folder);
    }

    private ChainSweep OfModel() => _mlContext.CreateQuickSweep().SetModel(_source)
        .SetDataset(_mlContext.Labelled(), _mlContext.Labelled()).SetMetric("rows", scored => scored.CountRows(), isMaximized: true)
        .SetCheckpoint(_folder.Path);

    private IEstimator<ITransformer> Pipeline(SweepSettings settings) => _mlContext.Tuning(_source, settings.Get<double>("rate"));

    private void AreZipsOf(ChainSweepResult result)
    {
        var candidates = result.Trials.Where(trial => trial.Model is not null)
            .Select(trial => $"sweep-candidate-{1 + (trial.Id - 1) / 2}.zip").Distinct().Order(StringComparer.Ordinal).ToArray();
        CollectionAssert.AreEqual(candidates,
            Directory.GetFiles(_folder.Path, "*.zip").Select(Path.GetFileName).Order(StringComparer.Ordinal).ToArray());
    }

    private static void AreTheSame(ChainSweepResult expected, ChainSweepResult found, bool exactly = true)
    {
        CollectionAssert.AreEqual(expected.Describe(), found.Describe());
        foreach (var (one, other) in expected.Trials.Zip(found.Trials))
        {
            Assert.AreEqual(one.MedianLatency, other.MedianLatency);
            Assert.AreEqual(one.Parameters, other.Parameters);
            Assert.AreEqual(one.Error, other.Error);
            Assert.AreEqual(one.Model is null, other.Model is null);
            if (!exactly)
                continue;
            Assert.AreEqual(one.PeakMemory, other.PeakMemory);
            Assert.AreEqual(one.TrainingSeconds, other.TrainingSeconds);
            Assert.AreEqual(one.RowsPerSecond, other.RowsPerSecond);
        }
    }
}
