using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Runtime;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class CheckpointedExpansionTests
{
    private const int Steps = 12;
    private const int DiesAfter = 8;

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly ConcurrentQueue<LoggingEventArgs> _messages = new();

    public CheckpointedExpansionTests() => _mlContext.Log += (_, message) => _messages.Enqueue(message);

    [TestMethod]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.BFloat16)]
    public void AGrownModelThatWasInterruptedEndsAsOneThatWasNot(ScalarType type)
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4);
        var options = Options(model, folder: null);
        options.DataType = type;
        using var expected = _mlContext.Fit(options);
        (options.CheckpointFolder, options.ResumeFrom) = (folder.Path, folder.Path);
        Die(options);
        var recorder = new Recorder();
        options.Progress = recorder;
        using var resumed = _mlContext.Fit(options);
        Assert.AreEqual(7, recorder.Reports[0].Step);
        Assert.IsTrue(ModelAssert.HaveSameWeights(expected.Model, resumed.Model));
        Assert.AreEqual(expected.Training!.Loss, resumed.Training!.Loss);
        Assert.AreEqual(expected.Training.Steps, resumed.Training.Steps);
        CollectionAssert.AreEqual(
            expected.Training.ValidationLosses.ToArray(), resumed.Training.ValidationLosses.ToArray());
        Assert.ContainsSingle(
            message => message.RawMessage.Contains("goes on after step 6", StringComparison.Ordinal), _messages);
    }

    [TestMethod]
    public void ASeedThatWasDrawnIsTheCheckpoints()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4);
        var options = Options(model, folder.Path);
        options.Seed = null;
        Die(options, new MLContext());
        using var resumed = new MLContext().Fit(options);
        using var record = JsonDocument.Parse(File.ReadAllBytes(folder[$"checkpoint-{Steps}.json"]));
        var seed = record.RootElement.GetProperty("identity").GetProperty("seed").GetInt32();
        options = Options(model, folder: null);
        options.Seed = seed;
        using var expected = _mlContext.Fit(options);
        Assert.IsTrue(ModelAssert.HaveSameWeights(expected.Model, resumed.Model));
    }

    [TestMethod]
    public void ATrainingThatIsCancelledKeepsWhatItDid()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4);
        using var expected = _mlContext.Fit(Options(model, folder: null));
        var options = Options(model, folder.Path);
        using var cancellation = new CancellationTokenSource();
        options.CancellationToken = cancellation.Token;
        options.Progress = new Recorder(progress =>
        {
            if (progress.Step == 5)
                cancellation.Cancel();
        });
        using (var cancelled = _mlContext.Fit(options))
            Assert.AreEqual((5, true), (cancelled.Training!.Steps, cancelled.Training.Cancelled));
        var recorder = new Recorder();
        (options.CancellationToken, options.Progress) = (default, recorder);
        using var resumed = _mlContext.Fit(options);
        Assert.AreEqual(6, recorder.Reports[0].Step);
        Assert.IsTrue(ModelAssert.HaveSameWeights(expected.Model, resumed.Model));
        using var again = _mlContext.Fit(options);
        Assert.HasCount(Steps - 5, recorder.Reports, "It was finished.");
        Assert.IsTrue(ModelAssert.HaveSameWeights(expected.Model, again.Model));
        Assert.AreEqual(resumed.Training!.Loss, again.Training!.Loss);
    }

    [TestMethod]
    public void AnotherModelAndOtherDataAreRefused()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4);
        using var other = TextModels.Random(TextModels.Config(4), seed: 2);
        using var same = TextModels.Random(4);
        Die(Options(model, folder.Path));
        Assert.Contains("another model", Refusal(Options(other, folder.Path), Expansion.Corpus));
        Assert.Contains("other data", Refusal(Options(model, folder.Path), Expansion.Corpus[1..]));
        var options = Options(model, folder.Path);
        options.ValidationSet = _mlContext.Rows("another text");
        Assert.Contains("other data", Refusal(options, Expansion.Corpus));
        options = Options(model, folder.Path);
        options.AddedChains = [2];
        Assert.Contains("AddedChains was [4] and is [2]", Refusal(options, Expansion.Corpus));
        options = Options(model, folder.Path);
        options.Seed = 4;
        Assert.Contains("Seed was 3 and is 4", Refusal(options, Expansion.Corpus));
        _mlContext.Fit(Options(same, folder.Path)).Dispose();

        string Refusal(ChainExpansionEstimator.Options options, string[] texts) =>
            Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Fit(options, texts)).Message;
    }

    [TestMethod]
    public void AnotherArchitectureIsRefusedByWhatDiffers()
    {
        using var folder = new TemporaryFolder();
        ChainExpansionEstimator.Options FromNothing(int layers)
        {
            var options = Expansion.FromNothing(4, 4);
            options.Architecture = options.Architecture! with { LayerCount = layers };
            (options.CheckpointFolder, options.ResumeFrom) = (folder.Path, folder.Path);
            return options;
        }
        _mlContext.Fit(FromNothing(1)).Dispose();
        var error = Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Fit(FromNothing(2)));
        Assert.Contains("Architecture.LayerCount was 1 and is 2", error.Message);
    }

    [TestMethod]
    public void OnARealFullDiskTrainingGoesOnWithTheOldCheckpoint()
    {
        using var disk = new SmallDisk();
        using var model = TextModels.Random(4);
        using var expected = _mlContext.Fit(Options(model, folder: null));
        var options = Options(model, disk["checkpoints"]);
        options.Progress = new Recorder(progress =>
        {
            if (progress.Step == 5)
                disk.Fill(bytesLeft: 20_000);
        });
        using (var fitted = _mlContext.Fit(options))
            Assert.IsTrue(ModelAssert.HaveSameWeights(expected.Model, fitted.Model));
        var warnings = _messages.Where(message => message.Kind == ChannelMessageKind.Warning).ToArray();
        Assert.HasCount(3, warnings, "At the steps 6, 9 and 12.");
        Assert.IsTrue(Array.TrueForAll(warnings, warning => warning.RawMessage.Contains("step 3", StringComparison.Ordinal)
            && warning.RawMessage.Contains(disk["checkpoints"], StringComparison.Ordinal)));
        Assert.HasCount(3, Directory.GetFiles(disk["checkpoints"]));

        disk.Free();
        var recorder = new Recorder();
        options.Progress = recorder;
        using var resumed = _mlContext.Fit(options);
        Assert.AreEqual(4, recorder.Reports[0].Step);
        Assert.IsTrue(ModelAssert.HaveSameWeights(expected.Model, resumed.Model));
    }

    [TestMethod]
    public void AFolderThatCannotBeWrittenIsRefusedAtTheStart()
    {
        using var disk = new SmallDisk();
        using var model = TextModels.Random(4);
        disk.MakeReadOnly(true);
        foreach (var folder in (string[])[disk.Path, disk["checkpoints"]])
        {
            var options = Options(model, folder);
            options.Progress = new Recorder(_ => Assert.Fail("There was a step."));
            Assert.Contains(folder, Assert.Throws<IOException>(() => _mlContext.Fit(options)).Message);
        }
    }

    [TestMethod]
    public void TheFolderIsFreeAfterwards()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4);
        var options = Options(model, folder.Path);
        Die(options);
        Assert.IsEmpty(Directory.GetFiles(folder.Path, FolderLock.FileName));
        _mlContext.Fit(options).Dispose();
        Assert.IsEmpty(Directory.GetFiles(folder.Path, FolderLock.FileName));
    }

    [TestMethod]
    public void CheckpointsLeaveNoTensorsBehind()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4);
        var (without, with) = (Options(model, folder: null), Options(model, folder.Path));
        Die(with);
        var expected = LeftBy(without);
        Assert.AreEqual(expected, LeftBy(with), "resumed");
        Assert.AreEqual(expected, LeftBy(with), "finished");

        long LeftBy(ChainExpansionEstimator.Options options)
        {
            var before = LiveTensors.CountSettled();
            _mlContext.Fit(options).Dispose();
            return LiveTensors.CountSettled() - before;
        }
    }

    private static ChainExpansionEstimator.Options Options(CoLMModel model, string? folder)
    {
        var options = Expansion.Grow(model, Steps, 4);
        options.ValidationSet = new MLContext().Rows("a text to validate on");
        (options.ValidationInterval, options.RestoreBest) = (2, true);
        (options.CheckpointFolder, options.ResumeFrom, options.CheckpointInterval) = (folder, folder, 3);
        return options;
    }

    private void Die(ChainExpansionEstimator.Options options, MLContext? mlContext = null)
    {
        options.Progress = new Recorder(progress =>
        {
            if (progress.Step == DiesAfter)
                throw new NotSupportedException("The process is dead.");
        });
        Assert.ThrowsExactly<NotSupportedException>(() => (mlContext ?? _mlContext).Fit(options));
        options.Progress = null;
    }
}
