using Microsoft.ML.CoLM.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

[TestClass, DoNotParallelize]
public sealed class RankComparisonTests
{
    [TestMethod]
    public void WeightsThatCameApartNameTheRank()
    {
        var errors = ThreadRanks.Run(3, communicator =>
        {
            using var weight = new Parameter(ones(4, 4));
            using var run = Run(weight);
            var ranks = new TrainingRanks(communicator);
            RankComparison.CheckWeights(ranks, run);
            if (communicator.Rank == 2)
            {
                using var noGradients = no_grad();
                weight.view(-1)[5].fill_(float.BitIncrement(1));
            }
            return Assert.ThrowsExactly<InvalidOperationException>(() => RankComparison.CheckWeights(ranks, run));
        });
        foreach (var error in errors)
            StringAssert.Contains(error.Message, "After step 7, the weights of rank 2 are no longer those of rank 0.");
    }

    [TestMethod]
    public void GradientsThatSomeRanksLackCountAsZeros()
    {
        var found = ThreadRanks.Run(3, communicator =>
        {
            using var small = new Parameter(zeros(3));
            using var large = new Parameter(zeros(2, 5));
            using var without = new Parameter(zeros(2));
            using var run = Run(small, large, without);
            if (communicator.Rank == 1)
                large.grad = ones(5, 2).t().mul(2); // whose elements do not lie in their order
            if (communicator.Rank < 2)
                small.grad = ones(3);
            var ranks = new TrainingRanks(communicator);
            using var exchange = ranks.CreateExchange(run.Parameters);
            var sums = new PassSums(passes: 3);
            sums.Add(communicator.Rank, sum: communicator.Rank + 1, count: 2, tokens: 5);
            ranks.Complete(sums, run.Parameters, exchange, communicator.Rank == 2 ? StopRequest.Stop : StopRequest.None);
            Assert.AreEqual((6, 6, 15L), sums.Total());
            Assert.AreEqual(StopRequest.Stop, ranks.Stop);
            Assert.IsNull(without.grad);
            return (small.grad!.data<float>().ToArray(), large.grad!.data<float>().ToArray());
        });
        foreach (var (small, large) in found)
        {
            CollectionAssert.AreEqual(new float[] { 2, 2, 2 }, small);
            CollectionAssert.AreEqual(Enumerable.Repeat(2f, 10).ToArray(), large);
        }
    }

    [TestMethod]
    public void ACommunicatorServesOneTrainingAtATime()
    {
        _ = ThreadRanks.Run(2, communicator => new TrainingRanks(communicator).Run(() =>
            Assert.ThrowsExactly<InvalidOperationException>(() => new TrainingRanks(communicator).Run(() => 0))));
    }

    private static TrainingRun Run(params Parameter[] parameters) =>
        new(TrainedParameter.Of(parameters, _ => 1), new BestState(parameters, keeps: false)) { Step = 7 };
}
