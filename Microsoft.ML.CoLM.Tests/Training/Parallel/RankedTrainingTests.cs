using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Tests.Interop;

namespace Microsoft.ML.CoLM.Tests.Training;

[TestClass, DoNotParallelize]
public sealed class RankedTrainingTests
{
    // Of passes that one rank adds up before the others the order is another, which shows in the last bit; training makes that
    // larger step by step.
    private const double LossTolerance = 1e-4;
    private const double WeightTolerance = 1e-3;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void TwoRanksWithAPassEachTrainToTheBitAsOneProcessWithTwoPasses()
    {
        if (!FreshProcess.IsThis)
        {
            MpiRanks.RunTest(TestContext, ranks: 2);
            return;
        }
        using var communicator = Communicator.FromMpi(TimeSpan.FromSeconds(60));
        foreach (var (kind, train) in RankedTraining.Kinds)
        {
            var ranked = train(new MLContext(), new(Steps: 50, Passes: 2, communicator));
            var own = train(new MLContext(), new(Steps: 50, Passes: 2, Communicator: null));
            Assert.IsTrue(MemoryMarshal.AsBytes(ranked.Weights.AsSpan()).SequenceEqual(MemoryMarshal.AsBytes(own.Weights.AsSpan())),
                $"{kind}: the weights differ by up to {ranked.Weights.Zip(own.Weights, (a, b) => Math.Abs(a - b)).Max()}.");
            CollectionAssert.AreEqual(own.Losses, ranked.Losses, kind);
            Assert.AreEqual(own.Summary.ModelStep, ranked.Summary.ModelStep, kind);
            CollectionAssert.AreEqual(own.Summary.ValidationLosses.ToArray(), ranked.Summary.ValidationLosses.ToArray(), kind);
        }
    }

    [TestMethod]
    public void FourRanksTrainToTheBitWithAPassEachAndUpToRoundingWithSeveral()
    {
        if (!FreshProcess.IsThis)
        {
            MpiRanks.RunTest(TestContext, ranks: 4);
            return;
        }
        using var communicator = Communicator.FromMpi(TimeSpan.FromSeconds(60));
        foreach (var (kind, passes) in new[] { ("expansion", 4), ("classes", 6), ("adapters with dropout", 5), ("completions", 4) })
        {
            var train = RankedTraining.Kinds[kind];
            var ranked = train(new MLContext(), new(Steps: 20, passes, communicator));
            var own = train(new MLContext(), new(Steps: 20, passes, Communicator: null));
            if (passes == communicator.Size)
            {
                CollectionAssert.AreEqual(own.Losses, ranked.Losses, kind);
                CollectionAssert.AreEqual(own.Weights, ranked.Weights, kind);
            }
            Assert.AreEqual(0, ranked.Losses.Zip(own.Losses, (a, b) => Math.Abs(a - b)).Max(), LossTolerance, kind);
            Assert.AreEqual(0, ranked.Weights.Zip(own.Weights, (a, b) => Math.Abs(a - b)).Max(), WeightTolerance, kind);
        }
    }
}
