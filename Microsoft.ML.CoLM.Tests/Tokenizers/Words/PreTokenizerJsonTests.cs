using System.Text;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass]
public sealed class PreTokenizerJsonTests
{
    // The words of tokenizers 0.23.1.
    [TestMethod]
    [DataRow("""{"type":"Punctuation","behavior":"Removed"}""", "--a-b--", "a|b")]
    [DataRow("""{"type":"Split","pattern":{"String":"-"},"behavior":"Removed","invert":false}""", "--a-b--", "a|b")]
    [DataRow("""{"type":"Split","pattern":{"String":"-"},"behavior":"Removed","invert":true}""", "--a-b--", "-|-|-|-|-")]
    [DataRow("""{"type":"Punctuation","behavior":"Isolated"}""", "--a-b--", "-|-|a|-|b|-|-")]
    [DataRow("""{"type":"Split","pattern":{"String":"-"},"behavior":"Isolated","invert":false}""", "--a-b--", "-|-|a|-|b|-|-")]
    [DataRow("""{"type":"Split","pattern":{"String":"-"},"behavior":"Isolated","invert":true}""", "--a-b--", "-|-|a|-|b|-|-")]
    [DataRow("""{"type":"Punctuation","behavior":"MergedWithPrevious"}""", "--a-b--", "-|-|a-|b-|-")]
    [DataRow("""{"type":"Split","pattern":{"String":"-"},"behavior":"MergedWithPrevious","invert":false}""", "--a-b--", "-|-|a-|b-|-")]
    [DataRow("""{"type":"Split","pattern":{"String":"-"},"behavior":"MergedWithPrevious","invert":true}""", "--a-b--", "-|-a|-b|-|-")]
    [DataRow("""{"type":"Punctuation","behavior":"MergedWithNext"}""", "--a-b--", "-|-a|-b|-|-")]
    [DataRow("""{"type":"Split","pattern":{"String":"-"},"behavior":"MergedWithNext","invert":false}""", "--a-b--", "-|-a|-b|-|-")]
    [DataRow("""{"type":"Split","pattern":{"String":"-"},"behavior":"MergedWithNext","invert":true}""", "--a-b--", "-|-|a-|b-|-")]
    [DataRow("""{"type":"Punctuation","behavior":"Contiguous"}""", "--a-b--", "--|a|-|b|--")]
    [DataRow("""{"type":"Split","pattern":{"String":"-"},"behavior":"Contiguous","invert":false}""", "--a-b--", "--|a|-|b|--")]
    [DataRow("""{"type":"Split","pattern":{"String":"-"},"behavior":"Contiguous","invert":true}""", "--a-b--", "--|a|-|b|--")]
    [DataRow("""{"type":"Punctuation"}""", "a, b.  c--12\u0663\u00BD\u5F20\u00A0x\u000A$+\u09FD\u166D\u00A7", "a|,| b|.|  c|-|-|12\u0663\u00BD\u5F20\u00A0x\u000A|$|+|\u09FD|\u166D|\u00A7")]
    [DataRow("""{"type":"Digits","individual_digits":true}""", "a, b.  c--12\u0663\u00BD\u5F20\u00A0x\u000A", "a, b.  c--|1|2|\u0663|\u00BD|\u5F20\u00A0x\u000A")]
    [DataRow("""{"type":"Digits","individual_digits":false}""", "a, b.  c--12\u0663\u00BD\u5F20\u00A0x\u000A", "a, b.  c--|12\u0663\u00BD|\u5F20\u00A0x\u000A")]
    [DataRow("""{"type":"Whitespace"}""", "a, b.  c--12\u0663\u00BD\u5F20\u00A0x\u000A\u200D_\u00B2", "a|,|b|.|c|--|12\u0663|\u00BD|\u5F20|x|\u200D_|\u00B2")]
    [DataRow("""{"type":"WhitespaceSplit"}""", "a, b.  c--12\u0663\u00BD\u5F20\u00A0x\u000A\u200D_\u00B2", "a,|b.|c--12\u0663\u00BD\u5F20|x|\u200D_\u00B2")]
    [DataRow("""{"type":"BertPreTokenizer"}""", "a, b.  c--12\u0663\u00BD\u5F20\u00A0x\u000A\u200D_\u00B2", "a|,|b|.|c|-|-|12\u0663\u00BD\u5F20|x|\u200D|_|\u00B2")]
    [DataRow("""{"type":"CharDelimiterSplit","delimiter":"-"}""", "a--b-c", "a|b|c")]
    [DataRow("""{"type":"Split","pattern":{"String":""},"behavior":"Isolated","invert":false}""", "abc", "a|b|c")]
    [DataRow("""{"type":"Split","pattern":{"String":"a.b"},"behavior":"Removed","invert":false}""", "xa.byaxb", "x|yaxb")]
    [DataRow("""{"type":"Split","pattern":{"Regex":"(?=[A-Z])"},"behavior":"Isolated","invert":false}""", "oneTwoThree", "one|Two|Three")]
    [DataRow("""{"type":"Split","pattern":{"Regex":"x*"},"behavior":"Isolated","invert":false}""", "axxb", "a|xx|b")]
    [DataRow("""{"type":"Split","pattern":{"Regex":"x*"},"behavior":"MergedWithPrevious","invert":false}""", "axxb", "axx|b")]
    [DataRow("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""", "a bc", "\u0120a|\u0120bc")]
    [DataRow("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""", "\u00A0a b", "\u0120|\u00C2\u0142|a|\u0120b")]
    [DataRow("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""", " a\u00E9", "\u0120a\u00C3\u00A9")]
    [DataRow("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":false}""", "a bc", "\u0120a\u0120bc")]
    [DataRow("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":false}""", "\u00A0a b", "\u0120\u00C2\u0142a\u0120b")]
    [DataRow("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":false}""", " a\u00E9", "\u0120a\u00C3\u00A9")]
    [DataRow("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""", "a bc", "a|\u0120bc")]
    [DataRow("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""", "\u00A0a b", "\u00C2\u0142|a|\u0120b")]
    [DataRow("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""", " a\u00E9", "\u0120a\u00C3\u00A9")]
    [DataRow("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""", "a bc", "a\u0120bc")]
    [DataRow("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""", "\u00A0a b", "\u00C2\u0142a\u0120b")]
    [DataRow("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""", " a\u00E9", "\u0120a\u00C3\u00A9")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}""", "a  b", "\u2581a|\u2581|\u2581b")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}""", "a  b", "\u2581a|\u2581|\u2581b")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":true}""", "a  b", "a|\u2581|\u2581b")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}""", "a  b", "\u2581a\u2581\u2581b")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","add_prefix_space":true}""", "a  b", "\u2581a|\u2581|\u2581b")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","add_prefix_space":true,"prepend_scheme":"first"}""", "a  b", "\u2581a|\u2581|\u2581b")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}""", " a", "\u2581a")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}""", " a", "\u2581a")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":true}""", " a", "\u2581a")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}""", " a", "\u2581a")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","add_prefix_space":true}""", " a", "\u2581a")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","add_prefix_space":true,"prepend_scheme":"first"}""", " a", "\u2581a")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}""", "\u2581a b", "\u2581a|\u2581b")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}""", "\u2581a b", "\u2581a|\u2581b")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":true}""", "\u2581a b", "\u2581a|\u2581b")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}""", "\u2581a b", "\u2581a\u2581b")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","add_prefix_space":true}""", "\u2581a b", "\u2581a|\u2581b")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","add_prefix_space":true,"prepend_scheme":"first"}""", "\u2581a b", "\u2581a|\u2581b")]
    [DataRow("""{"type":"Metaspace","replacement":"▁","add_prefix_space":false,"prepend_scheme":"never"}""", "a b", "a|\u2581b")]
    [DataRow("""{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}]}""", " a b c", "a|b|c")]
    [DataRow("""{"type":"Sequence","pretokenizers":[{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"},{"type":"Metaspace","replacement":"_","prepend_scheme":"first"}]}""", " a b c", "_\u2581a|\u2581b|\u2581c")]
    [DataRow("""{"type":"Sequence","pretokenizers":[]}""", "a b", "a b")]
    [DataRow("null", "a b", "a b")]
    public void WordsAreThoseOfTokenizers(string json, string text, string words)
    {
        PreTokenization steps = Read(json);
        Assert.AreEqual(words, string.Join('|', steps.Cut(new(text.AsMemory(), StartsDocument: true), null).Select(
            word => steps.SpellsBytes ? ByteAlphabet.Spell(word.Text.Span) : word.Text.ToString())));
    }

    [TestMethod]
    public void OnlyALastByteLevelIsLeftToTheModel()
    {
        const string ByteLevel = """{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}""";
        const string Digits = """{"type":"Digits"}""";
        Assert.IsTrue(Read(ByteLevel).SpellsBytes);
        PreTokenization last = Read($$"""{"type":"Sequence","pretokenizers":[{{Digits}},{{ByteLevel}}]}""");
        Assert.IsTrue(last.SpellsBytes);
        Assert.HasCount(1, last.Steps);
        PreTokenization first = Read($$"""{"type":"Sequence","pretokenizers":[{{ByteLevel}},{{Digits}}]}""");
        Assert.IsFalse(first.SpellsBytes);
        Assert.AreEqual("Ã©|1", Join(first, "é1"));
    }

    [TestMethod]
    public void OnlyTheDocumentsFirstWordGetsThePrefixOfFirst()
    {
        PreTokenization steps = Read("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}""");
        Assert.AreEqual("a|▁b", string.Join('|', steps.Cut(new("a b".AsMemory(), StartsDocument: false), null).Select(word => word.Text)));
    }

    [TestMethod]
    [DataRow("""{"type":"UnicodeScripts"}""", "x.type: expected \"Split\"")]
    [DataRow("""{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated"}""", "x.pattern.Regex: expected a regular expression that is supported, but at character 1, a group has no")]
    [DataRow("""{"type":"Split","pattern":{},"behavior":"Isolated"}""", "x.pattern.Regex: expected a string")]
    [DataRow("""{"type":"Split","pattern":{"String":"a"},"behavior":"isolated"}""", "x.behavior: expected one of \"Removed\", \"Isolated\"")]
    [DataRow("""{"type":"Metaspace","replacement":"ab"}""", "x.replacement: expected one character")]
    [DataRow("""{"type":"Metaspace","replacement":"a","prepend_scheme":"last"}""", "x.prepend_scheme: expected one of \"always\"")]
    [DataRow("""{"type":"Metaspace","replacement":"a","prepend_scheme":"first","add_prefix_space":false}""", "x.prepend_scheme: expected \"never\"")]
    [DataRow("""{"type":"Digits","individual_digits":1}""", "x.individual_digits: expected true or false")]
    public void WhatIsNotSupportedIsRefusedByName(string json, string message) =>
        Assert.Contains(message, Assert.ThrowsExactly<InvalidDataException>(() => Read(json)).Message);

    [TestMethod]
    public void TooManyStepsAreRefused()
    {
        string steps = string.Join(',', Enumerable.Repeat("""{"type":"Digits"}""", PatternJson.MostSteps + 1));
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => Read($$"""{"type":"Sequence","pretokenizers":[{{steps}}]}"""));
        Assert.Contains("at most 64 steps (there are 65)", error.Message);
    }

    [TestMethod]
    public void StepsThatDoubleATextAgainAndAgainAreStopped()
    {
        string steps = string.Join(',', Enumerable.Repeat("""{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}""", 40));
        PreTokenization doubling = Read($$"""{"type":"Sequence","pretokenizers":[{{steps}}]}""");
        Assert.Contains("makes more than", Assert.ThrowsExactly<InvalidDataException>(() => Join(doubling, "éé")).Message);
    }

    private static string Join(PreTokenization steps, string text) =>
        string.Join('|', steps.Cut(new(text.AsMemory(), StartsDocument: true), null).Select(word => word.Text));

    private static PreTokenization Read(string json) =>
        JsonField.Parse("t.json", Encoding.UTF8.GetBytes($$"""{"x":{{json}}}"""), root => PreTokenizerJson.Read(root["x"]));
}
