using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM.Tests.Evaluation;

[TestClass]
public sealed class ScoringWindowTests
{
    [TestMethod]
    public void EveryTokenAfterTheFirstIsScoredOnceWithHalfAContextOfItsPast()
    {
        for (var context = 1; context <= 9; context++)
        {
            for (var tokens = 0; tokens <= 40; tokens++)
            {
                var size = Math.Max(2, context);
                var scored = new List<int>();
                foreach (var window in ScoringWindow.Over(5, tokens, context))
                {
                    Assert.AreEqual(5, window.Sequence);
                    Assert.IsInRange(2, size, window.Length);
                    Assert.IsLessThanOrEqualTo(tokens, window.Start + window.Length);
                    Assert.IsInRange(1, window.Length - 1, window.ScoredFrom);
                    if (window.Start > 0)
                        Assert.IsGreaterThanOrEqualTo(size - size / 2, window.ScoredFrom);
                    scored.AddRange(Enumerable.Range(window.Start, window.Length).Skip(window.ScoredFrom));
                }
                CollectionAssert.AreEqual(Enumerable.Range(1, Math.Max(0, tokens - 1)).ToArray(), scored);
            }
        }
    }

    [TestMethod]
    public void WithEveryStrideEachTokenIsScoredOnceWithTheRestOfAWindowOfItsPast()
    {
        for (var size = 2; size <= 7; size++)
        {
            for (var stride = 1; stride < size; stride++)
            {
                for (var tokens = 0; tokens <= 30; tokens++)
                {
                    var windows = ScoringWindow.Over(0, tokens, size, stride).ToArray();
                    CollectionAssert.AreEqual(Enumerable.Range(1, Math.Max(0, tokens - 1)).ToArray(), windows
                        .SelectMany(window => Enumerable.Range(window.Start, window.Length).Skip(window.ScoredFrom)).ToArray());
                    for (var i = 0; i < windows.Length; i++)
                    {
                        Assert.AreEqual(i * stride, windows[i].Start);
                        Assert.AreEqual(i == 0 ? 1 : size - stride, windows[i].ScoredFrom);
                        Assert.IsInRange(2, size, windows[i].Length);
                    }
                }
            }
        }
    }

    [TestMethod]
    public void WindowsAdvanceByHalfAContext()
    {
        ScoringWindow[] expected = [new(0, 0, 8, 1), new(0, 4, 8, 4), new(0, 8, 5, 4)];
        CollectionAssert.AreEqual(expected, ScoringWindow.Over(0, 13, 8).ToArray());
    }

    [TestMethod]
    public void ASequenceThatFitsIsOneWindow()
    {
        CollectionAssert.AreEqual(new[] { new ScoringWindow(3, 0, 8, 1) }, ScoringWindow.Over(3, 8, 8).ToArray());
        CollectionAssert.AreEqual(new[] { new ScoringWindow(3, 0, 2, 1) }, ScoringWindow.Over(3, 2, 8).ToArray());
    }

    [TestMethod]
    public void ASequenceWithNothingToScoreHasNoWindow()
    {
        Assert.IsEmpty(ScoringWindow.Over(0, 0, 8));
        Assert.IsEmpty(ScoringWindow.Over(0, 1, 8));
    }
}
