using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass, DoNotParallelize]
public sealed class TextPatternTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(100);

    [TestMethod]
    [DataRow("I'll pay 12345 €!\n\n  ok", "I|'ll| pay| |123|45| €!\n\n| | ok")]
    [DataRow("🎉party", "🎉party")] // one character that is no letter may begin a word, be it two in UTF-16
    [DataRow("a𠀀b!", "a𠀀b|!")]
    [DataRow("𝟏𝟐𝟑𝟒", "𝟏𝟐𝟑|𝟒")]
    [DataRow("  \t x", "  \t| x")]
    [DataRow("a'ſ", "a|'ſ")] // the long s is an s but for its case
    public void WordsEndWhereLlama3sDo(string text, string words) =>
        Assert.AreEqual(words, Join(text, TestTokenizers.Llama3Pattern));

    [TestMethod]
    public void WordsEndWhereGpt2sDo() =>
        Assert.AreEqual("It|'s| 2024|!| | x", Join("It's 2024!  x", PreTokenizerJson.Gpt2Pattern));

    [TestMethod]
    public void TextBetweenMatchesIsKept() => Assert.AreEqual("--|ab|--|cd|-", Join("--ab--cd-", "[a-z]+"));

    [TestMethod]
    [DataRow("^a", "ba\na", "ba\n|a")] // lines, not the text
    [DataRow("a$", "a\na", "a|\n|a")]
    [DataRow(@"\w+", "é\u00B2·", "é\u00B2|·")]
    [DataRow(@"[\w]+", "é\u00B2·", "é|\u00B2·")]
    [DataRow(@"\s", "a\u0085b\u200Bc", "a|\u0085|b\u200Bc")]
    [DataRow("[[:alpha:]]+", "ab1", "ab|1")]
    [DataRow("[a-z&&[^aeiou]]", "abc", "a|b|c")]
    [DataRow("a++a|b", "aab", "aa|b")]
    [DataRow(@"[\x{10000}-\x{2FFFF}]+", "a𠀀𠀀b", "a|𠀀𠀀|b")]
    [DataRow("(?>a+){2}|b", "aab", "aa|b")]
    [DataRow("x{,2}", "xxx", "xx|x")]
    [DataRow("a{,}", "aa{,}", "a|a{,}")]
    [DataRow(@"a{2}+b", "aaaab", "aaaab")]
    [DataRow("(?m:.)", "\n", "\n")]
    [DataRow("a(?i)b|c", "aBaC", "aB|aC")]
    [DataRow("(?<n>a)(?#b)c", "acb", "ac|b")]
    [DataRow("(?x: a b # c\n)d", "abdc", "abd|c")]
    public void PatternsMeanWhatOnigurumaMakesOfThem(string pattern, string text, string words) =>
        Assert.AreEqual(words, Join(text, pattern));

    [TestMethod]
    public void HalvesOfSurrogatePairsAreKept() =>
        Assert.AreEqual("\ud800| b|\udc00", Join("\ud800 b\udc00", PreTokenizerJson.Gpt2Pattern));

    [TestMethod]
    [DataRow(@"(a)\1", "a reference to a group (\\1)")]
    [DataRow(@"\k<n>", "a reference to a group (\\k)")]
    [DataRow(@"(?<n>a\g<n>?)", "a reference to a group (\\g)")]
    [DataRow("(?~a)", "absent operators")]
    [DataRow("(?(a)b|c)", "conditions")]
    [DataRow("(?{x})", "callouts")]
    [DataRow("(*FAIL)", "callouts")]
    [DataRow(@"\X", "\\X is not supported")]
    [DataRow(@"\Ga", "\\G is not supported")]
    [DataRow(@"a\Kb", "\\K is not supported")]
    [DataRow(@"\p{Nonsense}", "the property \"Nonsense\" is not known")]
    [DataRow(@"\p{~newmarks}", "the property \"~newmarks\" is not known")]
    [DataRow(@"\pL", "a property needs braces")]
    [DataRow("[[:nonsense:]]", "[:nonsense:] is not known")]
    [DataRow("(?i:ss)", "as ss is like ß")]
    [DataRow("(?i:s(?:s))", "as ss is like ß")]
    [DataRow("(?i:ß)", "as ß is like ss")]
    [DataRow("(?i:[ß])", "as ß is like ss")]
    [DataRow(@"\xE3", "bytes above 7F")]
    [DataRow(@"\uD800", "no character's")]
    [DataRow(@"\x{110000}", "too large")]
    [DataRow(@"\cA", "control characters")]
    [DataRow("(?<=a++)b", "a look behind with")]
    [DataRow("(?s:.)", "options are not among i, m and x")]
    [DataRow("(?=a)*", "nothing to repeat")]
    [DataRow("*a", "nothing to repeat")]
    [DataRow("a{100001}", "more than 100000 times")]
    [DataRow("(a", "no closing parenthesis")]
    [DataRow("a)", "closes nothing")]
    [DataRow("[a", "ends too early")]
    [DataRow("[b-a]", "ends before it begins")]
    [DataRow(@"[a-\d]", "cannot end with a set")]
    [DataRow(@"[\d-a]", "cannot begin with a set")]
    [DataRow(@"a\", "ends too early")]
    public void WhatIsNotSupportedIsRefusedByName(string pattern, string reason) =>
        Assert.Contains(reason, Assert.ThrowsExactly<FormatException>(() => TextPattern.Parse(pattern)).Message);

    [TestMethod]
    [DataRow("(")]
    [DataRow("[")]
    [DataRow("(?:")]
    [DataRow("(?i)")]
    public void DeepNestingIsRefused(string opening) =>
        Assert.Contains(
            "within each other",
            Assert.ThrowsExactly<FormatException>(() => TextPattern.Parse(
                string.Concat(Enumerable.Repeat(opening, PatternJson.MostCharacters / opening.Length)))).Message);

    [TestMethod]
    public void APatternOfManyCharactersIsTranslatedInTime()
    {
        string pattern = string.Concat(
            Enumerable.Range(0x4E00, PatternJson.MostCharacters / 4).Select(character => $"[^{(char)character}]"));
        Assert.AreEqual("a", Join("a", pattern));
    }

    [TestMethod]
    public void APatternThatBacktracksWithoutEndIsStoppedByName()
    {
        TextPattern pattern = TextPattern.Parse("(?:a|aa)+b", Short / 2);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Cut(pattern, new string('a', 40)));
        Assert.Contains("(?:a|aa)+b", error.Message);
    }

    [TestMethod]
    public void APatternThatIsSlowForEveryWordIsStoppedAsWell()
    {
        // Each match looks at all that follows, in far less than its own time.
        TextPattern pattern = TextPattern.Parse("(?:a(?=a))*b|a", Short);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Cut(pattern, new string('a', 50_000)));
        foreach (var part in (string[])["(?:a(?=a))*b|a", "0.1 seconds to find a word", "0.2 to find all", "50000 characters"])
            Assert.Contains(part, error.Message);
    }

    [TestMethod]
    public void WhatTheCheckThrowsEndsTheCutting()
    {
        var checks = 0;
        Assert.ThrowsExactly<OperationCanceledException>(() => Cut(
            TextPattern.Parse(PreTokenizerJson.Gpt2Pattern),
            "one two three four",
            () =>
            {
                if (++checks == 3)
                    throw new OperationCanceledException();
            }));
        Assert.AreEqual(3, checks);
    }

    private static string Join(string text, string pattern) => string.Join(
        '|',
        Cut(TextPattern.Parse(pattern), text)
            .Where(part => part.End > part.Start)
            .Select(part => text[part.Start..part.End]));

    private static List<PatternMatch> Cut(TextPattern pattern, string text, Action? checkAlive = null)
    {
        List<PatternMatch> parts = [];
        pattern.Cut(text, pattern.StartTime(text.Length), parts, checkAlive);
        return parts;
    }
}
