using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>Which examples stand in which batch.</summary>
[TestClass]
public sealed class ExampleOrderTests
{
    [TestMethod]
    [DataRow(1, 1)]
    [DataRow(7, 3)]
    [DataRow(12, 4)]
    [DataRow(1000, 8)]
    [DataRow(3, 100)]
    public void EveryExampleComesOnceAnEpoch(int count, int batchSize)
    {
        var order = new ExampleOrder(Lengths(count), batchSize, seed: 1);
        Assert.AreEqual((count + batchSize - 1) / batchSize, order.BatchesOfEpoch);
        for (var epoch = 0; epoch < 3; epoch++)
        {
            int[][] batches = Epoch(order, epoch);
            CollectionAssert.AreEqual(
                Enumerable.Range(0, count).ToArray(), batches.SelectMany(batch => batch).Order().ToArray());
            var small = batches.Where(batch => batch.Length < batchSize).ToArray();
            Assert.HasCount(count % batchSize == 0 ? 0 : 1, small);
            foreach (var batch in small)
                Assert.HasCount(count % batchSize, batch);
        }
    }

    [TestMethod]
    public void TheSeedAndTheEpochAloneDecideIt()
    {
        var lengths = Lengths(100);
        var order = new ExampleOrder(lengths, 8, seed: 5);
        var again = new ExampleOrder(lengths, 8, seed: 5);
        var backwards = Enumerable.Range(0, 39).Reverse().Select(batch => again.Examples(batch)).Reverse().ToArray();
        for (var batch = 0; batch < 39; batch++)
            CollectionAssert.AreEqual(order.Examples(batch), backwards[batch]);
        var other = new ExampleOrder(lengths, 8, seed: 6);
        Assert.IsFalse(Same(Epoch(order, 0), Epoch(order, 1)), "Another epoch has another order.");
        Assert.IsFalse(Same(Epoch(order, 0), Epoch(other, 0)), "Another seed has another order.");
    }

    [TestMethod]
    public void NeighboursAreOfLikeLength()
    {
        var lengths = Lengths(1000);
        var order = new ExampleOrder(lengths, 10, seed: 1);
        long padded = Enumerable.Range(0, order.BatchesOfEpoch)
            .Sum(batch => order.Examples(batch).Max(example => lengths[example]) * 10L);
        Assert.IsLessThan(1.1, padded / (double)lengths.Sum());

        // Yet the batches themselves do not come in the order of their lengths.
        var longest = Epoch(order, 0).Select(batch => batch.Max(example => lengths[example])).ToArray();
        CollectionAssert.AreNotEqual(longest.Order().ToArray(), longest);
    }

    [TestMethod]
    public void ExamplesOfABatchAreNotTheSameInEveryEpoch()
    {
        var order = new ExampleOrder(Lengths(2000), 8, seed: 1);
        string[] Sets(int epoch) => [.. Epoch(order, epoch).Select(batch => string.Join(',', batch.Order()))];
        Assert.IsLessThan(10, Sets(0).Intersect(Sets(1)).Count());
    }

    private static int[] Lengths(int count)
    {
        var random = new Random(2);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(1, 300))];
    }

    private static int[][] Epoch(ExampleOrder order, int epoch) => [.. Enumerable.Range(0, order.BatchesOfEpoch)
        .Select(batch => order.Examples((long)epoch * order.BatchesOfEpoch + batch))];

    private static bool Same(int[][] a, int[][] b) => a.Zip(b).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second));
}
