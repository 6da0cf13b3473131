using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass]
public sealed class BytePairMergesTests
{
    [TestMethod]
    public void MergesAreAppliedInTheOrderOfTheirRanksAndFromTheLeft()
    {
        var random = new Random(1);
        for (var round = 0; round < 300; round++)
        {
            Dictionary<(int Left, int Right), (int Rank, int Merged)> table = [];
            var merges = new BytePairMerges();
            int firstTokens = random.Next(1, 5);
            int ranks = random.Next(1, 12);
            for (var token = firstTokens; token < firstTokens + 12; token++)
            {
                (int Left, int Right) pair = (random.Next(token), random.Next(token));
                table[pair] = (random.Next(ranks), token);
                merges.Add(pair.Left, pair.Right, table[pair].Rank, token);
            }
            int[] word = [.. Enumerable.Range(0, random.Next(40)).Select(_ => random.Next(firstTokens))];

            List<int> expected = MergeOneByOne([.. word], table);
            int count = merges.Apply(word);

            CollectionAssert.AreEqual(expected, word[..count]);
        }
    }

    [TestMethod]
    public void OfTwoRanksForOnePairTheLaterCounts()
    {
        var merges = new BytePairMerges();
        merges.Add(0, 1, rank: 0, merged: 3);
        merges.Add(1, 2, rank: 1, merged: 4);
        merges.Add(0, 1, rank: 2, merged: 3);
        int[] word = [0, 1, 2];
        CollectionAssert.AreEqual((int[])[0, 4], word[..merges.Apply(word)]);
    }

    [TestMethod]
    public void ALongWordTakesStepsInProportionToItsLength()
    {
        var merges = new BytePairMerges();
        for (var token = 0; token < 12; token++)
            merges.Add(token, token, rank: token, merged: token + 1);
        const int Length = 1 << 18;
        var (checks, fewChecks) = (0, 0);
        var (word, fewer) = (new int[Length], new int[Length / 4]);
        Assert.AreEqual(Length >> 12, merges.Apply(word, () => checks++));
        merges.Apply(fewer, () => fewChecks++);
        Assert.IsTrue(word[..(Length >> 12)].All(token => token == 12));
        Assert.IsGreaterThan(4, fewChecks);
        Assert.IsLessThan(5, checks / (double)fewChecks);
    }

    [TestMethod]
    public void ALongWordEndsWithWhatTheCheckThrows()
    {
        var merges = new BytePairMerges();
        merges.Add(0, 0, rank: 0, merged: 1);
        var checks = 0;
        Assert.ThrowsExactly<OperationCanceledException>(
            () => merges.Apply(new int[1 << 17], () =>
            {
                if (++checks == 2)
                    throw new OperationCanceledException();
            }));
        Assert.AreEqual(2, checks);
    }

    /// <summary>The rule as it is written down, in cubic time.</summary>
    private static List<int> MergeOneByOne(
        List<int> word, Dictionary<(int Left, int Right), (int Rank, int Merged)> table)
    {
        while (true)
        {
            var best = -1;
            for (var i = 0; i + 1 < word.Count; i++)
            {
                if (table.TryGetValue((word[i], word[i + 1]), out var merge) &&
                    (best < 0 || merge.Rank < table[(word[best], word[best + 1])].Rank))
                {
                    best = i;
                }
            }
            if (best < 0)
                return word;
            word[best] = table[(word[best], word[best + 1])].Merged;
            word.RemoveAt(best + 1);
        }
    }
}
