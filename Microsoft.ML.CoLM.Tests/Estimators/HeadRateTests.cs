using TorchSharp;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>The learning rate of a label's head alone.</summary>
[TestClass, DoNotParallelize]
public sealed class HeadRateTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void TheLearningRateIsTheHeadsWhereNothingIsSaid()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        using var plain = Tuned(source, headRate: null);
        using var same = Tuned(source, headRate: Tuning.Steps(source).LearningRate);
        AssertSame(plain, same, isSame: true);
    }

    [TestMethod]
    public void ItMovesTheHeadAlone()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        // One step from the same weights: those below the head do not notice what rate it has.
        using var slow = Tuned(source, headRate: 1e-20, steps: 1);
        using var fast = Tuned(source, headRate: 0.5, steps: 1);
        AssertSame(slow, fast, isSame: false);
        foreach (var (own, other) in slow.Model.ChainParameters().Zip(fast.Model.ChainParameters()))
            TensorAssert.SameBits(own.parameter, other.parameter, own.name);

        using var untrained = Tuned(source, headRate: null, steps: 0);
        AssertSame(untrained, slow, isSame: true);
    }

    private ElasticScoringTransformer Tuned(ElasticScoringTransformer source, double? headRate, int steps = 4)
    {
        var options = Tuning.Steps(source, steps);
        options.HeadLearningRate = headRate;
        return _mlContext.Tune(options);
    }

    private static void AssertSame(ElasticScoringTransformer expected, ElasticScoringTransformer actual, bool isSame)
    {
        foreach (var (name, weight) in expected.Head().named_parameters())
            Assert.AreEqual(isSame, TensorAssert.HaveSameBits(weight, actual.Head().get_parameter(name)!), name);
    }
}
