using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>Texts, and pairs of them, as the sequence that a task's head reads.</summary>
[TestClass, DoNotParallelize]
public sealed class TaskTextTests
{
    private static readonly CoLMConfig Config = TextModels.Config(4);

    [TestMethod]
    [DataRow("abc", null, 9, new[] { 256, 'a', 'b', 'c' })]
    [DataRow("abc", null, 3, new[] { 256, 'a', 'b' })]
    [DataRow("", null, 3, new[] { 256 })]
    [DataRow("abc", "de", 9, new[] { 256, 'a', 'b', 'c', 256, 'd', 'e' })]
    [DataRow("abc", "", 9, new[] { 256, 'a', 'b', 'c', 256 })]
    [DataRow("", "", 9, new[] { 256, 256 })]
    [DataRow("abcdef", "g", 6, new[] { 256, 'a', 'b', 'c', 256, 'g' })]
    [DataRow("a", "bcdefg", 6, new[] { 256, 'a', 256, 'b', 'c', 'd' })]
    [DataRow("abcd", "efgh", 6, new[] { 256, 'a', 'b', 256, 'e', 'f' })]
    [DataRow("abcdefgh", "ij", 4, new[] { 256, 'a', 256, 'i' })]
    public void TheLongerTextLosesItsEndFirst(string first, string? second, int maxLength, int[] expected) =>
        CollectionAssert.AreEqual(expected, Encode(Config, first, second, maxLength));

    [TestMethod]
    public void APairIsNeverLongerThanItMayBe()
    {
        for (var first = 0; first < 8; first++)
        {
            for (var second = 0; second < 8; second++)
            {
                for (var maxLength = 1; maxLength < 20; maxLength++)
                {
                    var ids = Encode(Config, TextModels.Sentence(first), TextModels.Sentence(second), maxLength);
                    Assert.HasCount(Math.Min(maxLength, first + second + 2), ids);
                }
            }
        }
    }

    [TestMethod]
    public void WithoutABeginningOfTextAnEndOfTextStandsBetween()
    {
        var config = Config with { BosTokenId = null };
        var ids = Encode(config, "ab", "c", 99);
        Assert.AreEqual(1, ids.Count(id => id == 257));
        Assert.IsLessThan(Array.IndexOf(ids, (int)'c'), Array.IndexOf(ids, 257));
        Assert.IsEmpty(Encode(config, "", null, 99));
    }

    private static int[] Encode(CoLMConfig config, string first, string? second, int maxLength) => TaskText.Encode(
        ByteTokenizer.CreateFiles().CreateTokenizer(), config, first, second, maxLength, "Text", out _);
}
