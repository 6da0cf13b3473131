using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass]
public sealed class TextPartsTests
{
    [TestMethod]
    public void SpecialTokensAreParsedWithinThePartsThatSaySoAndNotOverTheirEnds()
    {
        var plain = (ModelTokenizer)new SentencePieceBytes().Add("▁", "a").ToFiles().CreateTokenizer(parseSpecialTokens: false);
        int[] Ids(params TextPart[] parts) => [.. plain.EncodeText(parts)];
        int[] spelled = [.. "</s>".Select(character => SentencePieceBytes.ByteZero + character)];

        CollectionAssert.AreEqual((int[])[1, 260, .. spelled, 260, 2], Ids(new("<s>a", true), new("</s>a", false), new("</s>", true)));
        CollectionAssert.AreEqual((int[])[259, .. spelled], Ids(new("</s", false), new(">", true)));
        CollectionAssert.AreEqual((int[])[259, .. spelled], Ids(new("</s", true), new(">", false)));
        // A part in front that ends like a token's beginning hides none.
        CollectionAssert.AreEqual((int[])[259, .. spelled[..3], 2], Ids(new("</s", false), new("</s>", true)));
    }
}
