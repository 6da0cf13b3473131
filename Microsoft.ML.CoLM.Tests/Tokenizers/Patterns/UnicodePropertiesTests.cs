using System.Text;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass, DoNotParallelize]
public sealed class UnicodePropertiesTests
{
    private const int End = 0x30000;

    // As many as tokenizers 0.23.1 (Oniguruma 6.9.10) finds among the first 0x30000 characters.
    [TestMethod]
    [DataRow(@"\w", 135300)]
    [DataRow(@"[\w]", 135294)]
    [DataRow(@"\d", 760)]
    [DataRow(@"\s", 25)]
    [DataRow(@"\h", 22)]
    [DataRow(@".", 194559)]
    [DataRow(@"\p{Word}", 135300)]
    [DataRow(@"\p{L}", 131897)]
    [DataRow(@"\p{M}", 2261)]
    [DataRow(@"\p{N}", 1911)]
    [DataRow(@"\p{P}", 855)]
    [DataRow(@"\p{S}", 8514)]
    [DataRow(@"\p{Z}", 19)]
    [DataRow(@"\p{Lu}", 1858)]
    [DataRow(@"\p{Lm}", 404)]
    [DataRow(@"\p{LC}", 4147)]
    [DataRow(@"\p{Punct}", 855)]
    [DataRow(@"\p{Han}", 89899)]
    [DataRow(@"\p{Thai}", 86)]
    [DataRow(@"\p{Hangul}", 11739)]
    [DataRow(@"\p{Greek}", 518)]
    [DataRow(@"\p{Common}", 8956)]
    [DataRow(@"\p{Emoji}", 1431)]
    [DataRow(@"\p{Extended_Pictographic}", 3537)]
    [DataRow(@"\p{Uppercase_Letter}", 1858)]
    [DataRow(@"\p{^L}", 62663)]
    [DataRow(@"[[:alnum:]]", 134388)]
    [DataRow(@"[[:alpha:]]", 133628)]
    [DataRow(@"[[:ascii:]]", 128)]
    [DataRow(@"[[:blank:]]", 18)]
    [DataRow(@"[[:cntrl:]]", 65)]
    [DataRow(@"[[:digit:]]", 760)]
    [DataRow(@"[[:graph:]]", 151911)]
    [DataRow(@"[[:lower:]]", 2569)]
    [DataRow(@"[[:print:]]", 151928)]
    [DataRow(@"[[:punct:]]", 9369)]
    [DataRow(@"[[:space:]]", 25)]
    [DataRow(@"[[:upper:]]", 1978)]
    [DataRow(@"[[:word:]]", 135294)]
    [DataRow(@"[[:xdigit:]]", 22)]
    [DataRow(@"[[:^alpha:]]", 60932)]
    [DataRow(@"(?i:k)", 3)]
    [DataRow(@"(?i:[a-z])", 54)]
    [DataRow(@"(?i:[^a-z])", 194506)]
    [DataRow(@"(?i:\p{Lu})", 1858)]
    [DataRow(@"[\p{L}&&[^\p{Latin}\p{Han}]]", 40895)]
    [DataRow(@"[^\p{Latin}&&\p{L}]", 193112)]
    public void ASetHasAsManyCharactersAsInOniguruma(string pattern, int count)
    {
        var text = new StringBuilder();
        for (var codePoint = 0; codePoint < End; codePoint++)
        {
            if (Rune.IsValid(codePoint))
                text.Append(new Rune(codePoint));
        }
        TextPattern compiled = TextPattern.Parse(pattern);
        List<PatternMatch> parts = [];
        compiled.Cut(text.ToString(), compiled.StartTime(text.Length), parts, null);
        Assert.AreEqual(count, parts.Count(part => part.IsMatch));
    }

    [TestMethod]
    [DataRow("a-c", "abc")]
    [DataRow("a-cx", "abcx")]
    [DataRow("^^", "(not ^)")]
    [DataRow("a-c&&b-d", "bc")]
    [DataRow("a-c&&[^b]", "ac")]
    [DataRow("^a-y&&a-z", "(not a to y)")]
    [DataRow("]a", "]a")]
    [DataRow("a-", "-a")]
    [DataRow("-a", "-a")]
    [DataRow("a-c-e", "-abce")]
    [DataRow("!--", "!\"#$%&'()*+,-")]
    [DataRow(@"\x61\x{62}\u0063\144", "abcd")]
    [DataRow("a[b[c]]", "abc")]
    public void ASetInBracketsIsReadAsRubyReadsIt(string content, string characters)
    {
        CodePointSet set = BracketParser.Parse(new PatternReader(content + "]"), ignoreCase: false);
        CodePointSet expected = characters switch
        {
            "(not ^)" => CodePointSet.Of('^').Not(),
            "(not a to y)" => CodePointSet.Range('a', 'y').Not(),
            _ => CodePointSet.Of(characters),
        };
        CollectionAssert.AreEqual(expected.Edges.ToArray(), set.Edges.ToArray());
    }
}
