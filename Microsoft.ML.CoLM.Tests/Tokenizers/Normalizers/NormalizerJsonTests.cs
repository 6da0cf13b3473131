using System.Text;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass]
public sealed class NormalizerJsonTests
{
    // The texts of tokenizers 0.23.1.
    [TestMethod]
    [DataRow("""{"type":"NFC"}""", "\u00C5e\u0301\uFB01\u2460\uD55C\u1100\u1161\uFFFE\u0344A\u0327\u0301", "\u00C5\u00E9\uFB01\u2460\uD55C\uAC00\uFFFE\u0308\u0301\u00C1\u0327")]
    [DataRow("""{"type":"NFD"}""", "\u00C5e\u0301\uFB01\u2460\uD55C\u1100\u1161\uFFFE\u0344A\u0327\u0301", "A\u030Ae\u0301\uFB01\u2460\u1112\u1161\u11AB\u1100\u1161\uFFFE\u0308\u0301A\u0327\u0301")]
    [DataRow("""{"type":"NFKC"}""", "\u00C5e\u0301\uFB01\u2460\uD55C\u1100\u1161\uFFFE\u0344A\u0327\u0301", "\u00C5\u00E9fi1\uD55C\uAC00\uFFFE\u0308\u0301\u00C1\u0327")]
    [DataRow("""{"type":"NFKD"}""", "\u00C5e\u0301\uFB01\u2460\uD55C\u1100\u1161\uFFFE\u0344A\u0327\u0301", "A\u030Ae\u0301fi1\u1112\u1161\u11AB\u1100\u1161\uFFFE\u0308\u0301A\u0327\u0301")]
    [DataRow("""{"type":"StripAccents"}""", "\u00C5e\u0301\uFB01\u2460\uD55C\u1100\u1161\uFFFE\u0344A\u0327\u0301", "\u00C5e\uFB01\u2460\uD55C\u1100\u1161\uFFFEA")]
    [DataRow("""{"type":"ByteLevel"}""", "\u00C5e\u0301\uFB01\u2460\uD55C\u1100\u1161\uFFFE\u0344A\u0327\u0301", "\u00C3\u0127e\u00CC\u0123\u00EF\u00AC\u0123\u00E2\u0133\u0142\u00ED\u0137\u013E\u00E1\u0126\u0122\u00E1\u0127\u00A1\u00EF\u00BF\u00BE\u00CD\u0126A\u00CC\u00A7\u00CC\u0123")]
    [DataRow("""{"type":"Lowercase"}""", "\u0130\u03A3\u1F88\u1E9E\u01C5\u0391\u03A3 \u13A0\u10A0\u212A\U00010400\uA7CB", "i\u0307\u03C3\u1F80\u00DF\u01C6\u03B1\u03C3 \uAB70\u2D00k\U00010428\u0264")]
    [DataRow("""{"type":"Nmt"}""", "a\u0001b\u0009c\u200Bd\u2581e\u008F\uFEFFf", "ab c d e f")]
    [DataRow("""{"type":"StripAccents"}""", "e\u0301\u0E33\u0E31\u0BA1\u1CF2\u0D3B", "e\u0E33\u0BA1\u0D3B")]
    [DataRow("""{"type":"Strip","strip_left":true,"strip_right":true}""", "\u00A0 \u200Ba \u2003\u000A", "\u200Ba")]
    [DataRow("""{"type":"Strip","strip_left":true,"strip_right":false}""", "\u00A0 \u200Ba \u2003\u000A", "\u200Ba \u2003\u000A")]
    [DataRow("""{"type":"Strip","strip_left":false,"strip_right":true}""", "\u00A0 \u200Ba \u2003\u000A", "\u00A0 \u200Ba")]
    [DataRow("""{"type":"Strip","strip_left":false,"strip_right":false}""", "\u00A0 \u200Ba \u2003\u000A", "\u00A0 \u200Ba \u2003\u000A")]
    [DataRow("""{"type":"Prepend","prepend":"▁"}""", "a b", "\u2581a b")]
    [DataRow("""{"type":"Prepend","prepend":"▁"}""", "", "")]
    [DataRow("""{"type":"Replace","pattern":{"String":" "},"content":"▁"}""", " a  b", "\u2581a\u2581\u2581b")]
    [DataRow("""{"type":"Replace","pattern":{"String":"a."},"content":""}""", "a.ab", "ab")]
    [DataRow("""{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"}""", " a  b   c", " a\u2581b\u2581c")]
    [DataRow("""{"type":"Replace","pattern":{"Regex":"x*"},"content":"-"}""", "axxb", "-a-b-")]
    [DataRow("""{"type":"Replace","pattern":{"Regex":"(a)(b)"},"content":"$2\\1"}""", "abc", "$2\\1c")]
    [DataRow("""{"type":"Replace","pattern":{"Regex":"^"},"content":"> "}""", "a\u000Ab\u000A", "> a\u000A> b\u000A")]
    [DataRow("""{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}""", "a b", "\u2581a\u2581b")]
    [DataRow("""{"type":"Sequence","normalizers":[]}""", "a b", "a b")]
    [DataRow("null", "a b", "a b")]
    public void TextsAreThoseOfTokenizers(string json, string text, string normalized) =>
        Assert.AreEqual(normalized, Read(json)?.Normalize(text) ?? text);

    [TestMethod]
    [DataRow("NFC")]
    [DataRow("NFKD")]
    [DataRow("Lowercase")]
    [DataRow("StripAccents")]
    [DataRow("Nmt")]
    public void HalvesOfSurrogatePairsDoNoHarm(string type)
    {
        string expected = type == "Nmt" ? "a b " : "a\uFFFDb\uFFFD";
        Assert.AreEqual(expected, Read($$"""{"type":"{{type}}"}""")!.Normalize("a\uD800b\uDC00"));
    }

    [TestMethod]
    public void LongTextsInPiecesAreTheSame()
    {
        string line = "e\u0301 ﬁ\uFFFE한\n\u0301";
        string text = string.Concat(Enumerable.Repeat(line, 30_000));
        ITextNormalizer normalizer = Read("""{"type":"NFKC"}""")!;
        string normalized = normalizer.Normalize(line);
        Assert.AreEqual(string.Concat(Enumerable.Repeat(normalized, 30_000)), normalizer.Normalize(text));
    }

    [TestMethod]
    [DataRow("""{"type":"NFC"}""")]
    [DataRow("""{"type":"Lowercase"}""")]
    [DataRow("""{"type":"Replace","pattern":{"String":"a"},"content":"b"}""")]
    public void WhatTheCheckThrowsEndsIt(string json)
    {
        string text = string.Concat(Enumerable.Repeat("Äa\n", 100_000));
        Assert.ThrowsExactly<OperationCanceledException>(
            () => Read(json)!.Normalize(text, () => throw new OperationCanceledException()));
    }

    [TestMethod]
    [DataRow("""{"type":"Precompiled","precompiled_charsmap":"AA=="}""", "x.type: expected \"NFC\"")]
    [DataRow("""{"type":"BertNormalizer"}""", "x.type: expected \"NFC\"")]
    [DataRow("""{"type":"Replace","pattern":{"Regex":"(a)\\1"},"content":"b"}""", "x.pattern.Regex: expected a regular expression that is supported, but at character 5")]
    [DataRow("""{"type":"Replace","pattern":{"String":"a"}}""", "x.content: expected a string")]
    [DataRow("""{"type":"Prepend"}""", "x.prepend: expected a string")]
    public void WhatIsNotSupportedIsRefusedByName(string json, string message) =>
        Assert.Contains(message, Assert.ThrowsExactly<InvalidDataException>(() => Read(json)).Message);

    [TestMethod]
    public void StepsThatMakeATextGrowBeyondMeasureAreStopped()
    {
        const string Step = """{"type":"Replace","pattern":{"String":"a"},"content":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}""";
        ITextNormalizer growing = Read($$"""{"type":"Sequence","normalizers":[{{string.Join(',', Enumerable.Repeat(Step, 8))}}]}""")!;
        Assert.Contains("makes more than", Assert.ThrowsExactly<InvalidDataException>(() => growing.Normalize("a")).Message);
    }

    private static ITextNormalizer? Read(string json) =>
        JsonField.Parse("t.json", Encoding.UTF8.GetBytes($$"""{"x":{{json}}}"""), root => NormalizerJson.Read(root["x"]));
}
