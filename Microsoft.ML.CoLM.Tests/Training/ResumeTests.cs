using Microsoft.ML.CoLM.Tests.Checkpoints;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

[TestClass, DoNotParallelize]
public sealed class ResumeTests
{
    private static readonly Dictionary<string, Action<ChainExpansionEstimator.Options>> Variants = new()
    {
        ["plain"] = _ => { },
        ["best weights"] = options => (options.RestoreBest, options.ValidationInterval) = (true, 1),
        ["best weights, seldom"] = options => (options.RestoreBest, options.ValidationInterval) = (true, 4),
        ["stops early"] = options => (options.EarlyStoppingPatience, options.ValidationInterval) = (2, 1),
        ["stops early with the best weights"] = options =>
            (options.EarlyStoppingPatience, options.ValidationInterval, options.RestoreBest) = (2, 1, true),
        ["accumulation"] = options => (options.GradientAccumulationSteps, options.BatchSize) = (3, 1),
        ["bfloat16"] = options => options.DataType = ScalarType.BFloat16,
        ["bfloat16, best weights, accumulation"] = options =>
        {
            (options.DataType, options.RestoreBest, options.ValidationInterval) = (ScalarType.BFloat16, true, 1);
            (options.GradientAccumulationSteps, options.BatchSize) = (3, 1);
        },
        ["epochs"] = options => (options.MaxSteps, options.BatchSize, options.Epochs) = (null, 20, 2),
    };

    public static IEnumerable<string> VariantNames => Variants.Keys;

    [TestMethod]
    [DynamicData(nameof(VariantNames))]
    public void ATrainingThatDiesAfterAnyStepEndsAsOneThatDidNot(string variant)
    {
        var training = new ResumableTraining();
        var expected = training.Run(ResumableTraining.Options(folder: null, Variants[variant]));
        for (var step = 1; step <= expected.Summary!.Steps; step++)
        {
            using var folder = new TemporaryFolder();
            var options = ResumableTraining.Options(folder.Path, Variants[variant]);
            training.Run(options, dieAfter: step);
            var resumed = training.Run(options);
            resumed.MustEqual(expected, $"died after step {step}");
            var redone = step - (resumed.Reports.Count == 0 ? step : resumed.Reports[0].Step - 1);
            Assert.IsInRange(1, options.CheckpointInterval, redone);
        }
    }

    [TestMethod]
    [DynamicData(nameof(VariantNames))]
    public void ATrainingThatIsCancelledAfterAnyStepGoesOnWithTheNext(string variant)
    {
        var training = new ResumableTraining();
        var expected = training.Run(ResumableTraining.Options(folder: null, Variants[variant]));
        for (var step = 1; step < expected.Summary!.Steps; step++)
        {
            using var folder = new TemporaryFolder();
            var options = ResumableTraining.Options(folder.Path, Variants[variant]);
            Assert.IsTrue(training.Run(options, cancelAfter: step).Summary!.Cancelled);
            var resumed = training.Run(options);
            Assert.AreEqual(step + 1, resumed.Reports[0].Step);
            resumed.MustEqual(expected, $"cancelled after step {step}");
        }
    }

    [TestMethod]
    [DynamicData(nameof(VariantNames))]
    public void AFinishedTrainingIsNotTrainedAnyFurther(string variant)
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        var options = ResumableTraining.Options(folder.Path, Variants[variant]);
        var expected = training.Run(options);
        var before = TemporaryFolder.Contents(folder.Path);
        var again = training.Run(options);
        Assert.IsEmpty(again.Reports);
        again.MustEqual(expected, variant);
        Assert.IsTrue(ModelAssert.HaveSameFiles(before, TemporaryFolder.Contents(folder.Path)));
    }

    [TestMethod]
    public void CheckpointsChangeNothing()
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        training.Run(ResumableTraining.Options(folder.Path))
            .MustEqual(training.Run(ResumableTraining.Options(folder: null)), "with checkpoints and without");
    }
}
