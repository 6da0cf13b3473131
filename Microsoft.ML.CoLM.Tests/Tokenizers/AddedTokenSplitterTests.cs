using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass]
public sealed class AddedTokenSplitterTests
{
    [TestMethod]
    public void ATokenOfWhiteSpaceThatTheTokenBeforeTookIsNone()
    {
        var splitter = new AddedTokenSplitter([new(0, "\n\n", false) { StripsBefore = true, StripsBehind = true }]);
        List<AddedTokenMatch> matches = splitter.Find("\n\n\n\n\n\n\n\n\na\n\nb", _ => true, null);
        Assert.AreEqual("0-9 10-12", string.Join(' ', matches.Select(match => $"{match.Start}-{match.End}")));
    }

    [TestMethod]
    [DataRow("a  <m> b", "<m>", true, false, false, "1-6")]
    [DataRow("a <m> \n b", "<m>", false, true, false, "2-8")]
    [DataRow("<m> <m>  <m>", "<m>", true, true, false, "0-4 4-9 9-12")]
    [DataRow("the other the, xthe the", "the", false, false, true, "0-3 10-13 20-23")]
    [DataRow("éthe the_ \u00B2the the\u0301", "the", false, false, true, "11-14")]
    public void WhiteSpaceAndWordsAreThoseOfHuggingFacesRules(
        string text, string content, bool before, bool behind, bool isWord, string expected)
    {
        var splitter = new AddedTokenSplitter([new(0, content, false)
        {
            StripsBefore = before,
            StripsBehind = behind,
            IsWord = isWord,
        }]);
        Assert.AreEqual(expected, string.Join(' ', splitter.Find(text, _ => true, null).Select(match => $"{match.Start}-{match.End}")));
        Assert.IsEmpty(splitter.Find(text, _ => false, null));
    }
}
