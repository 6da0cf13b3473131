using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Tests.Training;

[TestClass]
public sealed class RankShareTests
{
    private static readonly int[] Batches = [3, 0, 2, 5, 1];

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(3)]
    [DataRow(7)]
    public void EveryRankGetsTheNumbersOfEveryBatchAndComputesItsOwnAlone(int size)
    {
        var computed = new int[Batches.Length];
        var found = ThreadRanks.Run(size, communicator => new TrainingRanks(communicator).Share.Compute(Batches, count => count, count =>
        {
            Interlocked.Increment(ref computed[Array.IndexOf(Batches, count)]);
            return [.. Enumerable.Range(0, count).Select(i => count * 10.0 + i)];
        }));
        CollectionAssert.AreEqual(Enumerable.Repeat(1, Batches.Length).ToArray(), computed);
        foreach (var numbers in found)
        {
            for (var i = 0; i < Batches.Length; i++)
                CollectionAssert.AreEqual(Enumerable.Range(0, Batches[i]).Select(k => Batches[i] * 10.0 + k).ToArray(), numbers[i]);
        }
    }

    [TestMethod]
    public void ARankThatIsCancelledInAValidationCancelsAll()
    {
        var ended = ThreadRanks.Run(3, communicator => Assert.ThrowsExactly<OperationCanceledException>(() =>
            new TrainingRanks(communicator).Share.Compute(Batches, count => count, count =>
                communicator.Rank == 1 ? throw new OperationCanceledException("It was cancelled.") : new double[count])));
        Assert.AreEqual("It was cancelled.", ended[1].Message);
        StringAssert.Contains(ended[2].Message, "on another rank");
    }

    [TestMethod]
    public void OneProcessComputesAllBatches() =>
        Assert.AreSame(BatchShare.All, new TrainingRanks(communicator: null).Share);
}
