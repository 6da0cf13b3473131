namespace Microsoft.ML.CoLM.Tests.Chains;

[TestClass]
public sealed class ChainLayoutTests
{
    [TestMethod]
    [DataRow("32", new[] { 32 })]
    [DataRow("32,8", new[] { 32, 8 })]
    [DataRow(" 8, 8 ,4", new[] { 8, 8, 4 })]
    [DataRow("1,1,1,1,1,1,1,1,1,1,1,1", new[] { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 })]
    public void TheTextFormIsRead(string text, int[] heads)
    {
        var layout = ChainLayout.Parse(text);
        CollectionAssert.AreEqual(heads, layout.Heads.ToArray());
        Assert.AreEqual(heads.Length, layout.ChainCount);
        Assert.AreEqual(new ChainLayout(heads), layout);
    }

    [TestMethod]
    [DataRow(new[] { 32 }, "32")]
    [DataRow(new[] { 32, 8 }, "32,8")]
    [DataRow(new[] { 1000, 2000 }, "1000,2000")]
    public void TheTextFormIsWrittenAndReadBack(int[] heads, string text)
    {
        var layout = new ChainLayout(heads);
        Assert.AreEqual(text, layout.ToString());
        Assert.AreEqual(layout, ChainLayout.Parse(layout.ToString()));
    }

    [TestMethod]
    [DataRow("")]
    [DataRow(" ")]
    [DataRow("32,")]
    [DataRow(",8")]
    [DataRow("32,,8")]
    [DataRow("32;8")]
    [DataRow("32 8")]
    [DataRow("{32,8}")]
    [DataRow("32,eight")]
    [DataRow("32,-8")]
    [DataRow("32,+8")]
    [DataRow("32,8.0")]
    [DataRow("0x20")]
    [DataRow("32,2147483648")]
    public void TextOfAnotherFormIsRefusedAndQuoted(string text)
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => ChainLayout.Parse(text));
        Assert.AreEqual("text", error.ParamName);
        Assert.Contains($"found \"{text}\"", error.Message);
    }

    [TestMethod]
    public void NoTextAndNoHeadsAreRefused()
    {
        Assert.AreEqual("text", Assert.ThrowsExactly<ArgumentNullException>(() => ChainLayout.Parse(null!)).ParamName);
        Assert.AreEqual("heads", Assert.ThrowsExactly<ArgumentNullException>(() => new ChainLayout(null!)).ParamName);
    }

    [TestMethod]
    public void ALayoutWithoutChainsIsRefused()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => new ChainLayout());
        Assert.Contains("at least one chain, found none", error.Message);
    }

    [TestMethod]
    [DataRow(new[] { 0 }, "chain 1 has 0")]
    [DataRow(new[] { 8, 4, -3 }, "chain 3 has -3")]
    [DataRow(new[] { 8, 0, 0 }, "chain 2 has 0")]
    public void AChainWithoutHeadsIsRefusedByItsNumber(int[] heads, string message)
    {
        Assert.Contains(message, Assert.ThrowsExactly<ArgumentException>(() => new ChainLayout(heads)).Message);
    }

    [TestMethod]
    public void ZeroHeadsInTextAreRefusedByTheChainsNumber()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => ChainLayout.Parse("32,0"));
        Assert.Contains("chain 2 has 0", error.Message);
    }

    [TestMethod]
    public void LayoutsAreEqualWhenTheirHeadCountsAre()
    {
        var layout = new ChainLayout(32, 8);
        Assert.IsTrue(layout.Equals(new ChainLayout(32, 8)));
        Assert.IsTrue(layout.Equals((object)new ChainLayout(32, 8)));
        Assert.AreEqual(layout.GetHashCode(), new ChainLayout(32, 8).GetHashCode());

        foreach (var other in new[] { "8,32", "32", "32,8,8", "32,4", "328" })
        {
            Assert.IsFalse(layout.Equals(ChainLayout.Parse(other)), other);
            Assert.AreNotEqual(layout.GetHashCode(), ChainLayout.Parse(other).GetHashCode(), other);
        }
        Assert.IsFalse(layout.Equals(null));
        Assert.IsFalse(layout.Equals("32,8"));
    }

    [TestMethod]
    public void ALayoutKeepsHeadCountsOfItsOwn()
    {
        int[] heads = [32, 8];
        var layout = new ChainLayout(heads);
        heads[0] = 1;
        Assert.AreEqual("32,8", layout.ToString());
    }

    [TestMethod]
    public void ALayoutIsContinuedAndCutWithoutChangingIt()
    {
        var layout = new ChainLayout(8, 4);
        Assert.AreEqual(new ChainLayout(8, 4, 2, 6), layout.Append(2, 6));
        Assert.AreEqual(new ChainLayout(8), layout.Take(1));
        Assert.AreEqual(layout, layout.Take(2));
        Assert.AreEqual("8,4", layout.ToString());
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(-1)]
    [DataRow(3)]
    [DataRow(int.MaxValue)]
    public void AChainCountThatALayoutDoesNotHaveIsRefusedWithBothNumbers(int chainCount)
    {
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => new ChainLayout(8, 4).CheckChainCount(chainCount));
        Assert.AreEqual("chainCount", error.ParamName);
        Assert.Contains("2 chains ({8,4})", error.Message);
        Assert.Contains($"found {chainCount}", error.Message);
    }

    [TestMethod]
    public void EveryChainCountOfALayoutIsTaken()
    {
        var layout = new ChainLayout(8, 4, 2);
        for (var chainCount = 1; chainCount <= 3; chainCount++)
            layout.CheckChainCount(chainCount);
    }
}
