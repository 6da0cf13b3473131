namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>What tuning does where nothing is said of it.</summary>
[TestClass, DoNotParallelize]
public sealed class TuningDefaultsTests
{
    private const double OfTrainedWeights = 2e-5;
    private const double OfNewOnes = 2e-4;

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(1, null, null, OfNewOnes, DisplayName = "a chain that is added by default")]
    [DataRow(1, 0, null, OfTrainedWeights, DisplayName = "full fine-tuning")]
    [DataRow(1, 0, 4, OfTrainedWeights, DisplayName = "full fine-tuning of a model that grows")]
    [DataRow(1, 1, 4, OfNewOnes, DisplayName = "an added chain behind a frozen one")]
    [DataRow(2, null, null, OfTrainedWeights, DisplayName = "the last chain")]
    [DataRow(2, 1, 4, OfTrainedWeights, DisplayName = "the last chain and an added one")]
    [DataRow(2, null, 4, OfNewOnes, DisplayName = "an added chain behind frozen ones")]
    public void TheLearningRateIsSmallWhereTrainedWeightsAreTuned(int chains, int? frozen, int? added, double rate)
    {
        using var model = TextModels.Random([.. Enumerable.Repeat(4, chains)]);
        using var source = _mlContext.Scorer(model);
        var options = new ChainTuningEstimator.Options
        {
            Transformer = source,
            FrozenChains = frozen,
            AddedChains = added is { } heads ? [heads] : null,
        };
        Assert.AreEqual(rate, options.LearningRate);
        options.Lora = new LoraOptions();
        Assert.AreEqual(OfNewOnes, options.LearningRate);
        options.LearningRate = 0.125;
        Assert.AreEqual(0.125, options.LearningRate);
    }

    [TestMethod]
    public void TextsAreReadToTwoThousandTokensAndWindowsOfHeadsAreShort()
    {
        var options = new ChainTuningEstimator.Options();
        Assert.AreEqual(2048, options.SequenceLength);
        Assert.AreEqual(OfTrainedWeights, options.LearningRate);
        options.Task = TuningTask.LanguageHeads;
        Assert.AreEqual(256, options.SequenceLength);
        Assert.AreEqual(OfNewOnes, options.LearningRate);
        options.SequenceLength = 77;
        Assert.AreEqual(77, options.SequenceLength);
        Assert.IsNull(options.FrozenFeatureFolder);
    }
}
