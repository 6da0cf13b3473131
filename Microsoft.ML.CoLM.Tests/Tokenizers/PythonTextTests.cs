using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

/// <summary>What is expected here was computed by Python 3.11.</summary>
[TestClass]
public sealed class PythonTextTests
{
    [TestMethod]
    [DataRow("", "")]
    [DataRow("a", "A")]
    [DataRow("tHE iPod", "The ipod")]
    [DataRow(" leading Space", " leading space")]
    [DataRow("élan ÉTÉ", "Élan été")]
    [DataRow("𐐨𐐀", "𐐀𐐨")]
    [DataRow("ǆEZ", "ǅez")]
    [DataRow("ǄEZ", "ǅez")]
    [DataRow("ǅEZ", "ǅez")]
    [DataRow("ⅳⅣ", "Ⅳⅳ")]
    [DataRow("ßA", "Ssa")]
    [DataRow("ﬁNE", "Fine")]
    [DataRow("ŉB", "ʼNb")]
    [DataRow("ıI", "Ii")]
    [DataRow("ქართული", "ქართული")]
    [DataRow("IİI", "Ii̇i")]
    [DataRow("ΣΟΦΟΣ ΣΑΣ' Σ", "Σοφος σας' σ")]
    [DataRow("aΣ.b Σ\u0301", "Aσ.b σ\u0301")]
    public void CapitalizingLowersAllButTheFirstLetter(string text, string expected) =>
        Assert.AreEqual(expected, PythonText.Capitalize(text));

    [TestMethod]
    [DataRow("", "", "")]
    [DataRow(" \n", "", "")]
    [DataRow("\u001C\u001Fa b\u001D\u001E", "a b\u001D\u001E", "\u001C\u001Fa b")]
    [DataRow("\u0085\u00A0\u3000a\u2028 ", "a\u2028 ", "\u0085\u00A0\u3000a")]
    [DataRow("\u200B\uFEFFa\u200B", "\u200B\uFEFFa\u200B", "\u200B\uFEFFa\u200B")]
    public void WhiteSpaceIsPythons(string text, string withoutStart, string withoutEnd)
    {
        Assert.AreEqual(withoutStart, PythonText.StripStart(text));
        Assert.AreEqual(withoutEnd, PythonText.StripEnd(text));
        Assert.AreEqual(PythonText.StripEnd(withoutStart), PythonText.Strip(text));
    }
}
