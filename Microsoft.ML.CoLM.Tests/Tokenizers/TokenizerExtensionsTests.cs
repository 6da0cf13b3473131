using System.Text.RegularExpressions;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass]
public sealed class TokenizerExtensionsTests
{
    private static readonly string[] Letters = ["▁", "a", "b"];

    public static IEnumerable<object[]> Tokenizers =>
    [
        ["SentencePiece", Files().CreateTokenizer(), 1, 2],
        ["bytes", ByteTokenizer.CreateFiles().CreateTokenizer(), 256, 257],
        ["the library's SentencePiece", Library(addBeginning: true, addEnd: true), 1, 2],
        ["the library's SentencePiece alone", Library(addBeginning: false, addEnd: false), 1, 2],
        ["the library's byte pairs", LibraryBytePairs("<s>"), 2, 3],
        ["the library's byte pairs alone", LibraryBytePairs(null), 2, 3],
    ];

    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void ADocumentBeginsWithTheBeginningOfTextOnceAndHasNoEnd(
        string name, Tokenizer tokenizer, int beginning, int end)
    {
        foreach (string text in (string[])["", "a", " ab  ba ", "aaaaaaaaaabbbbbbbbbb"])
        {
            int[] ids = tokenizer.EncodeDocument(text, beginning);
            Assert.AreEqual(beginning, ids[0], name);
            Assert.HasCount(1, ids.Where(id => id == beginning), name);
            Assert.AreEqual(text, tokenizer.DecodeDocument(ids), name);
            Assert.DoesNotContain(end, ids, name);
        }
    }

    [TestMethod]
    public void ABeginningThatTheTextSpellsIsNotDoubled()
    {
        Tokenizer tokenizer = Files().CreateTokenizer();
        CollectionAssert.AreEqual((int[])[1, 260], tokenizer.EncodeDocument("<s>a", 1));
        CollectionAssert.AreEqual((int[])[1, 260, 1, 261], tokenizer.EncodeDocument("<s><s>a<s>b", 1));
    }

    [TestMethod]
    public void WithoutABeginningOfTheModelsTheTokenizersOwnIsKept()
    {
        Tokenizer begins = Library(addBeginning: true, addEnd: true);
        Tokenizer beginsNot = Library(addBeginning: false, addEnd: true);
        CollectionAssert.AreEqual((int[])[1, 259, 260], Files().CreateTokenizer().EncodeDocument("a", null));
        CollectionAssert.AreEqual((int[])[1, 259, 260], begins.EncodeDocument("a", null));
        CollectionAssert.AreEqual((int[])[259, 260], beginsNot.EncodeDocument("a", null));
    }

    [TestMethod]
    public void AModelFoldersTokenizerSaysByItselfWhatStandsAroundATextAndPromptsHaveNoEnd()
    {
        Tokenizer alone = TestTokenizers.Json(json => json["post_processor"] = null).CreateTokenizer();
        CollectionAssert.AreEqual((int[])['a'], alone.EncodeDocument("a", 256));
        CollectionAssert.AreEqual((int[])[256], alone.EncodeDocument("", 256));
        Tokenizer ends = TestTokenizers.Json(json => json["post_processor"]!["single"]!.AsArray().Add(
            json["post_processor"]!["single"]![0]!.DeepClone())).CreateTokenizer();
        CollectionAssert.AreEqual((int[])[256, 'a', 256], ends.EncodeDocument("a", 256));
        CollectionAssert.AreEqual((int[])[256, 'a', 256], ends.EncodeToIds("a").ToArray());
        CollectionAssert.AreEqual((int[])[256, 'a'], ends.EncodePrompt("a", 256));
    }

    [TestMethod]
    public void ATextThatIsNoneIsRefused() =>
        Assert.ThrowsExactly<ArgumentNullException>(() => Files().CreateTokenizer().EncodeDocument(null!, 1));

    private static TokenizerFiles Files() => new SentencePieceBytes().Add(Letters).ToFiles();

    private static LlamaTokenizer Library(bool addBeginning, bool addEnd) =>
        LlamaTokenizer.Create(new MemoryStream(Files().Files[0].Value), addBeginning, addEnd);

    private static BpeTokenizer LibraryBytePairs(string? beginning) => BpeTokenizer.Create(
        new BpeOptions(new Dictionary<string, int> { ["a"] = 0, ["b"] = 1, ["Ġ"] = 4 })
        {
            ByteLevel = true,
            PreTokenizer = new RegexPreTokenizer(new Regex(PreTokenizerJson.Gpt2Pattern), null),
            SpecialTokens = new Dictionary<string, int> { ["<s>"] = 2 },
            BeginningOfSentenceToken = beginning,
        });
}
