using Microsoft.ML.CoLM.Generation;

namespace Microsoft.ML.CoLM.Tests.Generation;

[TestClass]
public sealed class LargestFirstTests
{
    [TestMethod]
    public void TheLargestWeightsAreThoseThatSortingPutsFirst()
    {
        var random = new Random(1);
        for (var round = 0; round < 300; round++)
        {
            var (weights, ids) = Weights(random, random.Next(1, 400), random.Next(3));
            var count = random.Next(1, weights.Length + 1);
            int[] expected = [.. Sorted(weights, ids).Take(count).Select(entry => entry.Id)];
            LargestFirst.SelectCount(weights, ids, count);
            CollectionAssert.AreEquivalent(expected, ids[..count]);
        }
    }

    [TestMethod]
    public void TheFewestWeightsThatReachASumAreThoseThatSortingPutsFirst()
    {
        var random = new Random(2);
        for (var round = 0; round < 300; round++)
        {
            var (weights, ids) = Weights(random, random.Next(1, 400), random.Next(3));
            var sum = random.NextDouble() * weights.Sum(weight => (double)weight) + 1e-9;
            List<int> expected = [];
            double reached = 0;
            foreach (var (weight, id) in Sorted(weights, ids))
            {
                if (reached >= sum)
                    break;
                reached += weight;
                expected.Add(id);
            }
            var count = LargestFirst.SelectSum(weights, ids, sum);
            CollectionAssert.AreEquivalent(expected, ids[..count]);
        }
    }

    [TestMethod]
    public void ASumThatIsNeverReachedTakesAll()
    {
        var (weights, ids) = Weights(new Random(3), 100, 0);
        Assert.AreEqual(100, LargestFirst.SelectSum(weights, ids, 1000));
    }

    private static IEnumerable<(float Weight, int Id)> Sorted(float[] weights, int[] ids) =>
        weights.Zip(ids).OrderByDescending(entry => entry.First).ThenBy(entry => entry.Second);

    /// <summary>
    /// Weights in eighths, so that many are equal and sums are exact: in no order, falling, or all the same.
    /// </summary>
    private static (float[] Weights, int[] Ids) Weights(Random random, int length, int kind)
    {
        float[] weights = [.. Enumerable.Range(0, length).Select(_ => kind == 2 ? 1 : random.Next(1, 50) / 8f)];
        if (kind == 1)
            Array.Sort(weights, (a, b) => b.CompareTo(a));
        return (weights, [.. Enumerable.Range(0, length)]);
    }
}
