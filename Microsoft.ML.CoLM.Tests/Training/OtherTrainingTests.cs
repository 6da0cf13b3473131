using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Training;

[TestClass, DoNotParallelize]
public sealed class OtherTrainingTests
{
    private static readonly Dictionary<string, Action<ChainExpansionEstimator.Options>> Changes = new()
    {
        ["SequenceLength was 256 and is 128"] = options => options.SequenceLength = 128,
        ["BatchSize was 3 and is 4"] = options => options.BatchSize = 4,
        ["GradientAccumulationSteps was 1 and is 2"] = options => options.GradientAccumulationSteps = 2,
        ["MaxSteps was 10 and is 11"] = options => options.MaxSteps = 11,
        ["Epochs was none and is 7, MaxSteps was 10 and is none"] =
            options => (options.MaxSteps, options.Epochs) = (null, 7),
        ["LearningRate was 0.01 and is 0.0125"] = options => options.LearningRate = 0.0125,
        ["WarmupSteps was 3 and is 4"] = options => options.WarmupSteps = 4,
        ["Decay was Cosine and is Linear"] = options => options.Decay = LearningRateDecay.Linear,
        ["WeightDecay was 0.1 and is 0"] = options => options.WeightDecay = 0,
        ["Beta1 was 0.9 and is 0.8"] = options => options.Beta1 = 0.8,
        ["Beta2 was 0.95 and is 0.99"] = options => options.Beta2 = 0.99,
        ["MaxGradientNorm was 1 and is 2"] = options => options.MaxGradientNorm = 2,
        ["Objective was LastScale and is MultiChain, ScaleWeights was none and is [1, 0.5]"] =
            options => (options.Objective, options.ScaleWeights) = (TrainingObjective.MultiChain, [1, 0.5]),
        ["ValidationInterval was none and is 5"] = options => options.ValidationInterval = 5,
        ["RestoreBest was False and is True"] = options => options.RestoreBest = true,
        ["EarlyStoppingPatience was none and is 2"] = options => options.EarlyStoppingPatience = 2,
        ["AddedChains was [] and is [4, 2]"] = options => options.AddedChains = [4, 2],
        ["Initialization was Normal and is CopyFirstChain"] =
            options => options.Initialization = ChainInitialization.CopyFirstChain,
        ["KvSharing was True and is False"] = options => options.KvSharing = false,
        ["Architecture.HiddenSize was none and is 16"] = options => options.Architecture = TestModels.Config(4),
        ["DataType was Float32 and is BFloat16"] = options => options.DataType = TorchSharp.torch.ScalarType.BFloat16,
        ["BatchSize was 3 and is 4, LearningRate was 0.01 and is 0.5"] =
            options => (options.LearningRate, options.BatchSize) = (0.5, 4),
    };

    public static IEnumerable<string> Differences => Changes.Keys;

    [TestMethod]
    [DynamicData(nameof(Differences))]
    public void OtherOptionsAreRefusedByTheirNamesAndValues(string difference)
    {
        var error = Refusal(new ResumableTraining(), Changes[difference]);
        Assert.Contains("other options: ", error);
        Assert.Contains(difference, error);
    }

    [TestMethod]
    public void AnotherSeedIsRefusedByBoth() =>
        Assert.Contains("Seed was 1 and is 2", Refusal(new ResumableTraining { Seed = 2 }));

    [TestMethod]
    public void AnotherModelIsRefused() =>
        Assert.Contains("another model", Refusal(new ResumableTraining { ModelSeed = 2 }));

    [TestMethod]
    public void OtherDataAreRefused() =>
        Assert.Contains("other data", Refusal(new ResumableTraining { Data = "other rows" }));

    [TestMethod]
    public void OptionsThatDoNotChangeTheResultMayBeOthers()
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        training.Run(ResumableTraining.Options(folder.Path), dieAfter: 8);
        var expected = training.Run(ResumableTraining.Options(folder: null));
        using var cancellation = new CancellationTokenSource();
        training.Run(ResumableTraining.Options(folder.Path, options =>
        {
            options.CheckpointInterval = 1;
            options.Epochs = 9; // not looked at beside MaxSteps
            options.Progress = new Progress<TrainingProgress>();
            options.CancellationToken = cancellation.Token;
            (options.ModelFolder, options.TextColumnName, options.Seed) = ("elsewhere", "Article", 3);
        })).MustEqual(expected, "resumed");
    }

    private static string Refusal(ResumableTraining other, Action<ChainExpansionEstimator.Options>? change = null)
    {
        using var folder = new TemporaryFolder();
        new ResumableTraining().Run(ResumableTraining.Options(folder.Path), dieAfter: 8);
        var before = TemporaryFolder.Contents(folder.Path);
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => other.Run(ResumableTraining.Options(folder.Path, change)));
        Assert.IsTrue(ModelAssert.HaveSameFiles(before, TemporaryFolder.Contents(folder.Path)));
        Assert.Contains(folder.Path, error.Message);
        return error.Message;
    }
}
