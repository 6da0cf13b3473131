using System.Text.RegularExpressions;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass]
public sealed class WordPatternTests
{
    [TestMethod]
    [DataRow("I'll pay 12345 €!\n\n  ok", "I|'ll| pay| |123|45| €!\n\n| | ok")]
    [DataRow("🎉party", "🎉party")] // one character that is no letter may begin a word, be it two in UTF-16
    [DataRow("a𠀀b!", "a𠀀b|!")]
    [DataRow("𝟏𝟐𝟑𝟒", "𝟏𝟐𝟑|𝟒")]
    [DataRow("  \t x", "  \t| x")]
    public void WordsEndWhereLlama3sDo(string text, string words) =>
        Assert.AreEqual(words, Join(text, TestTokenizers.Llama3Pattern));

    [TestMethod]
    public void WordsEndWhereGpt2sDo() =>
        Assert.AreEqual("It|'s| 2024|!| | x", Join("It's 2024!  x", WordPattern.Gpt2));

    [TestMethod]
    public void TextBetweenMatchesIsKept() => Assert.AreEqual("--|ab|--|cd|-", Join("--ab--cd-", "[a-z]+"));

    [TestMethod]
    public void ALaterPatternCutsWhatAnEarlierLeftWhole() =>
        Assert.AreEqual("a|1|2|b", Join("a12b", "[0-9]+|[a-z]+", "[0-9]"));

    [TestMethod]
    public void WithoutAPatternATextIsOneWord() => Assert.AreEqual("a b", Join("a b"));

    [TestMethod]
    public void HalvesOfSurrogatePairsAreKept() =>
        Assert.AreEqual("\ud800| b|\udc00", Join("\ud800 b\udc00", WordPattern.Gpt2));

    [TestMethod]
    public void APatternThatBacktracksWithoutEndIsStoppedByName()
    {
        var pattern = new WordPattern(new Regex("(a+)+b", RegexOptions.None, TimeSpan.FromMilliseconds(50)));
        var error = Assert.ThrowsExactly<InvalidDataException>(() => pattern.Split(new string('a', 40)));
        Assert.Contains("(a+)+b", error.Message);
    }

    [TestMethod]
    public void APatternThatIsSlowForEveryWordIsStoppedAsWell()
    {
        // Each match looks at all that follows, in far less than its own time.
        var pattern = new WordPattern(new Regex("(?:a(?=a))*b|a", RegexOptions.None, TimeSpan.FromMilliseconds(100)));
        var error = Assert.ThrowsExactly<InvalidDataException>(() => pattern.Split(new string('a', 50_000)));
        foreach (var part in (string[])["(?:a(?=a))*b|a", "0.1 seconds to find a word", "0.2 to find all", "50000 characters"])
            Assert.Contains(part, error.Message);
    }

    [TestMethod]
    public void WhatTheCheckThrowsEndsTheCutting()
    {
        var checks = 0;
        Assert.ThrowsExactly<OperationCanceledException>(() => new WordPattern(WordPattern.Compile(WordPattern.Gpt2))
            .Split("one two three four", () =>
            {
                if (++checks == 3)
                    throw new OperationCanceledException();
            }));
        Assert.AreEqual(3, checks);
    }

    private static string Join(string text, params string[] patterns)
    {
        var pattern = new WordPattern([.. patterns.Select(WordPattern.Compile)]);
        return string.Join('|', pattern.Split(text).Select(word => text[word.Start..word.End]));
    }
}
