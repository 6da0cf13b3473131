using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tests.Interop;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>What ranks agree on, after which they can go on together.</summary>
[TestClass, DoNotParallelize]
public sealed class RankAgreementTests
{
    private const int Steps = 6;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void RanksThatTrainSomethingElseAreNamedOnAllRanks() => OnRanks(communicator =>
    {
        var isOther = communicator.Rank == 1;
        Refused("BatchSize 5 where rank 0 has 4", options => options.BatchSize = isOther ? 5 : 4);
        Refused("LearningRate 0.5 where rank 0 has 0.01", options => options.LearningRate = isOther ? 0.5 : 0.01);
        Refused("MaxSteps 7 where rank 0 has 6", options => options.MaxSteps = isOther ? 7 : 6);
        Refused("Seed 4 where rank 0 has 3", options => options.Seed = isOther ? 4 : 3);
        Refused("another data than rank 0", _ => { }, isOther ? Expansion.Corpus[..9] : Expansion.Corpus);
        Refused("another data than rank 0",
            options => options.ValidationSet = new MLContext().Rows(isOther ? Expansion.Corpus[..2] : Expansion.Corpus[..3]));
        using var model = TextModels.Random(isOther ? 8 : 4);
        Refused("another model than rank 0", options => options.Model = model);

        void Refused(string difference, Action<ChainExpansionEstimator.Options> change, params string[] texts)
        {
            using var start = TextModels.Random(4);
            var options = Options(communicator, start);
            change(options);
            var error = Assert.ThrowsExactly<ArgumentException>(() => new MLContext().Fit(options, texts));
            StringAssert.Contains(error.Message, "rank 1 has ");
            StringAssert.Contains(error.Message, difference);
        }
    });

    [TestMethod]
    public void ARankThatIsToldToStopStopsAllAfterTheSameStep() => OnRanks(communicator =>
    {
        using var stop = new CancellationTokenSource();
        using var start = TextModels.Random(4);
        var options = Options(communicator, start);
        options.CancellationToken = stop.Token;
        options.Progress = new Recorder(progress =>
        {
            if (progress.Step == 3 && communicator.Rank == 1)
                stop.Cancel();
        });
        using var fitted = new MLContext().Fit(options);
        Assert.IsTrue(fitted.Training!.Cancelled);
        Assert.AreEqual(4, fitted.Training.Steps); // the one that was under way
        AreSame(communicator, fitted.Training.Loss);
    });

    [TestMethod]
    public void ARankThatIsCancelledCancelsAll() => OnRanks(communicator =>
    {
        foreach (var when in (string[])["before", "while rows are read", "in a step"])
        {
            var mlContext = new MLContext();
            using var start = TextModels.Random(4);
            var options = Options(communicator, start);
            var isCancelled = communicator.Rank == 1;
            if (when == "before" && isCancelled)
                mlContext.CancelExecution();
            options.Progress = new Recorder(progress =>
            {
                if (when == "in a step" && progress.Step == 2 && isCancelled)
                    mlContext.CancelExecution();
            });
            options.ValidationInterval = 2;
            options.ValidationSet = mlContext.Rows(Expansion.Corpus[..3]);
            var read = 0;
            var texts = Expansion.Corpus.Select(text =>
            {
                if (when == "while rows are read" && isCancelled && ++read == 3)
                    mlContext.CancelExecution();
                return text;
            });
            var rows = mlContext.Data.LoadFromEnumerable(texts.Select(text => new Document { Text = text }));
            Assert.Throws<OperationCanceledException>(() => mlContext.Transforms.ChainExpansion(options).Fit(rows), when);
        }
    });

    [TestMethod]
    public void ALossThatIsNotFiniteEndsAllRanks() => OnRanks(communicator =>
    {
        using var start = TextModels.Random(4);
        var options = Options(communicator, start);
        (options.LearningRate, options.MaxGradientNorm) = (1e30, double.PositiveInfinity);
        var error = Assert.ThrowsExactly<NonFiniteLossException>(() => new MLContext().Fit(options));
        AreSame(communicator, error.Step);
    });

    [TestMethod]
    public void TheFirstRankAloneWritesCheckpointsAndResumesForAll() => OnRanks(communicator =>
    {
        using var folder = new TemporaryFolder();
        var whole = Train(communicator, folder: null, steps: Steps, cancelAfter: null);
        foreach (var cancelAfter in (int?[])[3, null])
        {
            // A folder of its own on each rank, as on machines without a common disk.
            var weights = Train(communicator, folder["checkpoints"], Steps, cancelAfter);
            Assert.AreEqual(communicator.Rank == 0, Directory.Exists(folder["checkpoints"]));
            if (cancelAfter is null)
                CollectionAssert.AreEqual(whole, weights);
        }
    });

    [TestMethod]
    public void EarlyStoppingEndsAllRanksAfterTheSameStep() => OnRanks(communicator =>
    {
        using var start = TextModels.Random(4);
        var options = Options(communicator, start);
        (options.LearningRate, options.MaxSteps, options.ValidationInterval, options.EarlyStoppingPatience) = (0.3, 40, 1, 1);
        options.ValidationSet = new MLContext().Rows(Expansion.Corpus[..7]);
        using var fitted = new MLContext().Fit(options);
        Assert.IsLessThan(40, fitted.Training!.Steps);
        AreSame(communicator, fitted.Training.Steps);
    });

    private static float[] Train(Communicator communicator, string? folder, int steps, int? cancelAfter)
    {
        using var stop = new CancellationTokenSource();
        var mlContext = new MLContext();
        using var model = TextModels.Random(4, 4);
        using var source = mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps);
        (options.GradientAccumulationSteps, options.Communicator) = (2, communicator);
        (options.Lora, options.ValidationSet, options.ValidationInterval) = (new() { Rank = 2, Dropout = 0.2 }, mlContext.Keyed(), 1);
        (options.CheckpointFolder, options.ResumeFrom, options.CheckpointInterval) = (folder, folder, 2);
        options.CancellationToken = stop.Token;
        options.Progress = new Recorder(progress =>
        {
            if (progress.Step == cancelAfter)
                stop.Cancel();
        });
        using var fitted = mlContext.Tune(options);
        return [.. fitted.Model.Adapters!.parameters().SelectMany(parameter => parameter.detach().data<float>())];
    }

    private static ChainExpansionEstimator.Options Options(Communicator communicator, CoLMModel model)
    {
        var options = Expansion.Grow(model, Steps, 4);
        (options.GradientAccumulationSteps, options.Communicator) = (2, communicator);
        return options;
    }

    private static void AreSame(Communicator communicator, double own)
    {
        double[] values = [own, own * own];
        communicator.Sum(values);
        Assert.AreEqual(0, values[1] * communicator.Size - values[0] * values[0], 1e-9);
    }

    private sealed class Document
    {
        public string Text { get; set; } = "";
    }

    private void OnRanks(Action<Communicator> test)
    {
        if (!FreshProcess.IsThis)
        {
            MpiRanks.RunTest(TestContext, ranks: 2);
            return;
        }
        using var communicator = Communicator.FromMpi(TimeSpan.FromSeconds(60));
        test(communicator);
        Assert.IsTrue(communicator.Any(communicator.Rank == 1), "What is agreed on leaves the communicator as it was.");
    }
}
