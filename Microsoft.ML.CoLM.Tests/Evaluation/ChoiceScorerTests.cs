using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Evaluation;

[TestClass, DoNotParallelize]
public sealed class ChoiceScorerTests
{
    private const int ContextLength = 400;

    public static IEnumerable<object[]> Architectures { get; } =
        from layout in new[] { "4", "4,4", "4,2,6" }
        from kvSharing in new[] { false, true }
        select new object[] { layout, kvSharing };

    [TestMethod]
    [DynamicData(nameof(Architectures))]
    public void SharedContextsScoreAsEachChoiceByItselfAtEveryChainCount(string layout, bool kvSharing)
    {
        using var model = Model(layout, kvSharing);
        CompletionTokens[][] items =
        [
            Item(20, [5, 3, 8, 1]), Item(1, [4, 4]), Item(150, [2, 90, 2, 2, 7]), Item(30, [1, 1]), Item(64, [1]),
            Item(3, [40, 1, 17]), Item(0, [12, 9]), Item(200, [30, 31, 32, 33]),
        ];
        for (var chainCount = 1; chainCount <= model.Config.ChainCount; chainCount++)
            AreClose(Apart(model, items, chainCount), ChoiceScorer.Score(model, items, chainCount));
    }

    [TestMethod]
    [DataRow(false, 7)]
    [DataRow(true, 7)]
    [DataRow(true, 64)]
    public void TreesThatAreReadInBlocksScoreTheSame(bool kvSharing, int blockLength)
    {
        using var model = Model("4,2", kvSharing);
        CompletionTokens[][] items = [Item(100, [20, 3, 8, 50]), Item(30, [9, 9, 2])];
        var expected = Apart(model, items, 2);
        model.BlockLength = blockLength;
        AreClose(expected, ChoiceScorer.Score(model, items, 2));
    }

    [TestMethod]
    public void ManyChoicesScoreTheSame()
    {
        using var model = Model("4,4", kvSharing: true);
        // More tokens of branches than attention works on at once, beside a tree with few.
        CompletionTokens[][] items = [Item(60, [.. Enumerable.Range(0, 60).Select(i => 3 + i % 17)]), Item(60, [4, 2])];
        AreClose(Apart(model, items, 2), ChoiceScorer.Score(model, items, 2));
    }

    [TestMethod]
    public void AChoiceThatBeginsAnotherScoresTheSame()
    {
        using var model = Model("4", kvSharing: false);
        int[] whole = [.. Tokens(40, seed: 9)];
        CompletionTokens[][] items = [[new(whole[..25], 20), new(whole, 20), new(whole[..21], 20)]];
        AreClose(Apart(model, items, 1), ChoiceScorer.Score(model, items, 1));
    }

    [TestMethod]
    public void EqualChoicesScoreTheSameToTheBit()
    {
        using var model = Model("4,4", kvSharing: false);
        var item = Item(50, [9, 4, 7]);
        CompletionTokens[] doubled = [item[0], item[1], new([.. item[0].Ids], item[0].ResponseStart), item[2], item[1]];
        var sums = ChoiceScorer.Score(model, [doubled], 2)[0];
        Assert.AreEqual(sums[0], sums[2]);
        Assert.AreEqual(sums[1], sums[4]);
        Assert.AreNotEqual(sums[0], sums[1]);
    }

    [TestMethod]
    public void WhatIsSharedIsReadOnce()
    {
        var tree = TokenTree.Of([new([1, 2, 3, 4]), new([1, 2, 5]), new([1, 2, 3])]);
        CollectionAssert.AreEqual(new[] { 1, 2 }, tree.Stem);
        CollectionAssert.AreEqual(new[] { 2, 1, 1 }, tree.Branches.Select(branch => branch.Length).ToArray());
        using var batch = new TreeBatch([tree, new TokenTree([7, 8, 9], [[], [6]])]);
        Assert.AreEqual(3, batch.StemLength);
        Assert.AreEqual(7, batch.Length);
        CollectionAssert.AreEqual(new long[] { 1, 2, 0, 3, 4, 5, 3, 7, 8, 9, 6, 0, 0, 0 }, batch.TokenIds(CPU).data<long>().ToArray());
        CollectionAssert.AreEqual(
            new long[] { 0, 1, 0, 2, 3, 2, 2, 0, 1, 2, 3, 0, 0, 0 }, batch.Positions(CPU).data<long>().ToArray());
        Assert.AreEqual(1, batch.Row(0, 1, 1));
        Assert.AreEqual(5, batch.Row(0, 1, 2));
        Assert.AreEqual(10, batch.Row(1, 1, 3));
    }

    [TestMethod]
    public void ALaterTokenChangesNoEarlierScore()
    {
        using var model = Model("4,2", kvSharing: true);
        var item = Item(40, [6, 6, 6]);
        // Of the scores, only those of the choice itself may change; its siblings do not see it.
        var before = ChoiceScorer.Score(model, [item], 2)[0];
        item[1].Ids[^1] = (item[1].Ids[^1] + 1) % 250;
        var after = ChoiceScorer.Score(model, [item], 2)[0];
        Assert.AreEqual(before[0], after[0]);
        Assert.AreEqual(before[2], after[2]);
        Assert.AreNotEqual(before[1], after[1]);
        item[1].Ids[^3] = (item[1].Ids[^3] + 1) % 250;
        Assert.AreEqual(before[0], ChoiceScorer.Score(model, [item], 2)[0][0], 1e-4);
    }

    [TestMethod]
    public void LowPrecisionIsSummedInFloat32()
    {
        using var model = Model("4,2", kvSharing: true, ScalarType.BFloat16);
        CompletionTokens[][] items = [Item(40, [6, 3, 6]), Item(20, [5, 2])];
        var sums = ChoiceScorer.Score(model, items, 2);
        // Of two numbers that are bfloat16 to the last bit the sum would mostly be one, too.
        Assert.IsTrue(sums.SelectMany(own => own).Any(sum => (BitConverter.SingleToInt32Bits((float)sum) & 0xFFFF) != 0));
        foreach (var (expected, actual) in Apart(model, items, 2).SelectMany(own => own).Zip(sums.SelectMany(own => own)))
            Assert.AreEqual(expected, actual, 0.02 * Math.Abs(expected));
    }

    [TestMethod]
    public void ChoicesOfAModelOfLowPrecisionAreNotEquallyLikelyByRounding()
    {
        using var model = Model("4,2", kvSharing: true, ScalarType.BFloat16);
        int[] context = [ByteTokenizer.BeginningOfTextId, .. Tokens(30, seed: 3)];
        CompletionTokens[] item = [.. Enumerable.Range(0, 250).Select(token => new CompletionTokens([.. context, token], context.Length))];
        for (var chainCount = 1; chainCount <= 2; chainCount++)
            Assert.HasCount(250, ChoiceScorer.Score(model, [item], chainCount)[0].Distinct().ToArray());
    }

    [TestMethod]
    public void ScoringLeavesNoTensorBehind()
    {
        using var model = Model("4,4", kvSharing: true);
        CompletionTokens[][] items = [Item(40, [6, 6, 6]), Item(0, [3, 3])];
        ChoiceScorer.Score(model, items, 2);
        var before = LiveTensors.CountSettled();
        ChoiceScorer.Score(model, items, 2);
        Assert.AreEqual(before, LiveTensors.Count);
    }

    [TestMethod]
    public void AScoringThatIsStoppedEnds()
    {
        using var model = Model("4", kvSharing: false);
        Assert.ThrowsExactly<OperationCanceledException>(() => ChoiceScorer.Score(
            model, [Item(40, [6, 6])], 1, () => throw new OperationCanceledException()));
    }

    private static CoLMModel Model(string layout, bool kvSharing, ScalarType dtype = ScalarType.Float32)
    {
        var model = TestModels.Random(TextModels.Config([.. ChainLayout.Parse(layout).Heads]) with
        {
            ContextLength = ContextLength,
            KvSharing = kvSharing,
        }, dtype: dtype, deviation: 0.3);
        return model;
    }

    /// <summary>Choices of so many tokens behind one context.</summary>
    private static CompletionTokens[] Item(int contextLength, int[] choiceLengths)
    {
        int[] context = [ByteTokenizer.BeginningOfTextId, .. Tokens(contextLength, contextLength + 1)];
        return [.. choiceLengths.Select((length, i) => new CompletionTokens(
            [.. context, .. Tokens(length, 1000 + contextLength * 100 + i)], context.Length))];
    }

    private static IEnumerable<int> Tokens(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(250))];
    }

    private static double[][] Apart(CoLMModel model, CompletionTokens[][] items, int chainCount) =>
        Array.ConvertAll(items, item => Array.ConvertAll(item, choice => SequenceScorer.ScoreEnds(model, [choice.Ids],
            [choice.ResponseStart], new ChainRange(chainCount - 1, chainCount), new TextWindows(ContextLength + 1, null))[0][0]));

    private static void AreClose(double[][] expected, double[][] actual)
    {
        Assert.HasCount(expected.Length, actual);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.HasCount(expected[i].Length, actual[i]);
            for (var choice = 0; choice < expected[i].Length; choice++)
                Assert.AreEqual(expected[i][choice], actual[i][choice], 1e-4, $"Item {i}, choice {choice}");
        }
    }
}
