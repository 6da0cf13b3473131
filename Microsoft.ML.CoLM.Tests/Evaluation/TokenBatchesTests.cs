using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM.Tests.Evaluation;

/// <summary>Rows that are computed together.</summary>
[TestClass]
public sealed class TokenBatchesTests
{
    [TestMethod]
    public void TheLongestRowsComeFirstAndThoseOfOneLengthInTheirOrder()
    {
        (int Length, int Id)[] rows = [(3, 0), (5, 1), (3, 2), (9000, 3), (5, 4)];
        var batches = TokenBatches.LongestFirst(rows, row => row.Length).ToArray();
        CollectionAssert.AreEqual(new[] { 3 }, Array.ConvertAll(batches[0], row => row.Id));
        CollectionAssert.AreEqual(new[] { 1, 4, 0, 2 }, Array.ConvertAll(batches[1], row => row.Id));
        Assert.HasCount(2, batches);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void ABatchHasAsManyRowsAsItsTokensAllow(bool isLongestFirst)
    {
        var random = new Random(7);
        int[] lengths = [.. Enumerable.Range(0, 500).Select(_ => random.Next(1, 120))];
        Array.Sort(lengths, (a, b) => isLongestFirst ? b - a : a - b);
        const int AtOnce = 100;
        var left = lengths.AsSpan();
        foreach (var batch in TokenBatches.Of(lengths, length => length, AtOnce))
        {
            CollectionAssert.AreEqual(left[..batch.Length].ToArray(), batch);
            Assert.IsTrue(batch.Length == 1 || batch.Length * batch.Max() <= AtOnce, string.Join(' ', batch));
            left = left[batch.Length..];
            Assert.IsTrue(left.IsEmpty || (batch.Length + 1) * Math.Max(batch.Max(), left[0]) > AtOnce, string.Join(' ', batch));
        }
        Assert.IsTrue(left.IsEmpty);
    }

    [TestMethod]
    public void RowsMayCountForSeveralAndHaveBranches()
    {
        (int Length, int Branch, int Count)[] rows = [(10, 2, 1), (8, 6, 3), (8, 0, 1), (4, 1, 2)];
        // 1 · 12, 4 · 16, 5 · 16, then 7 · 16 are too many.
        var batches = TokenBatches.Of(rows, row => row.Length, 80, row => row.Branch, row => row.Count).ToArray();
        CollectionAssert.AreEqual(new[] { 3, 1 }, Array.ConvertAll(batches, batch => batch.Length));
    }
}
