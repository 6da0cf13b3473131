using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tests.Tokenizers;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Evaluation;

[TestClass, DoNotParallelize]
public sealed class ChoiceEncoderTests
{
    private const int Bos = ByteTokenizer.BeginningOfTextId;
    private const int Eos = ByteTokenizer.EndOfTextId;

    private static readonly CoLMConfig Config = Estimators.TextModels.Config(4) with { VocabularySize = 300 };

    [TestMethod]
    public void AChoiceStandsBehindASpaceAndItsContext()
    {
        var (ids, start) = Encode("ab", "cd");
        CollectionAssert.AreEqual(Ids(Bos, "ab cd"), ids);
        Assert.AreEqual(3, start);
    }

    [TestMethod]
    [DataRow("ab ", 3)]
    [DataRow("ab \n\t", 3)]
    [DataRow("ab\u2003", 3)]
    [DataRow("ab\u001F", 3)]
    [DataRow("ab\u200B", 6)] // no white space, three bytes
    public void TrailingWhiteSpaceOfAContextBelongsToTheContinuation(string context, int expectedStart)
    {
        var (ids, start) = Encode(context, "c");
        CollectionAssert.AreEqual(Ids(Bos, context + " c"), ids);
        Assert.AreEqual(expectedStart, start);
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("  ")]
    public void AnEmptyContextIsOneToken(string context)
    {
        var without = WithoutBeginning();
        foreach (var (tokenizer, config, first) in ((Tokenizer, CoLMConfig, int)[])[
            (Bytes(), Config, Bos),
            (without, Config, Bos),
            (without, Config with { BosTokenId = null }, Eos)])
        {
            var (ids, start) = Encode(context, "ab", tokenizer, config);
            CollectionAssert.AreEqual(Ids(first, context + " ab"), ids);
            Assert.AreEqual(1, start);
        }
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => Encode(context, "ab", without, Config with { BosTokenId = null, EosTokenIds = [] }));
        Assert.Contains("Row 7", error.Message);
        Assert.Contains("'C'", error.Message);
    }

    [TestMethod]
    public void ATokenizerThatAddsNoBeginningGetsNone()
    {
        var (ids, start) = Encode("ab", "c", WithoutBeginning(), Config);
        CollectionAssert.AreEqual(Ids(null, "ab c"), ids);
        Assert.AreEqual(2, start);
    }

    [TestMethod]
    public void ABeginningThatTheContextSpellsIsNotDoubled()
    {
        var (ids, start) = Encode("<|begin_of_text|>ab", "c");
        CollectionAssert.AreEqual(Ids(Bos, "ab c"), ids);
        Assert.AreEqual(3, start);
    }

    [TestMethod]
    public void TheTokensBehindAsManyAsTheContextHasAreTheChoices()
    {
        // "b c" is one token, so that the context's own tokens are as many as the whole text's but one.
        var tokenizer = TestTokenizers.Json(json => TestTokenizers.AddMerges(json, "b Ġ", "bĠ c")).CreateTokenizer();
        var (ids, start) = Encode("ab", "cd", tokenizer);
        Assert.HasCount(4, ids);
        CollectionAssert.AreEqual(Ids(Bos, "ab"), ids[..3]);
        CollectionAssert.AreEqual(Ids(null, "d"), ids[3..]);
        Assert.AreEqual(3, start);
    }

    [TestMethod]
    public void AChoiceThatIsMergedIntoTheContextIsEncodedApart()
    {
        var tokenizer = TestTokenizers.Json(json => TestTokenizers.AddMerges(json, "b Ġ", "bĠ c")).CreateTokenizer();
        var (ids, start) = Encode("ab", "c", tokenizer);
        CollectionAssert.AreEqual(Ids(Bos, "ab c"), ids);
        Assert.AreEqual(3, start);
    }

    [TestMethod]
    public void EachChoiceMayHaveAContextOfItsOwn()
    {
        var encoded = new ChoiceEncoder(Bytes(), Config, "C", "D").Encode(0, ["a", "a", "bc "], ["x", "y", ""]);
        CollectionAssert.AreEqual(Ids(Bos, "a x"), encoded[0].Ids);
        CollectionAssert.AreEqual(Ids(Bos, "a y"), encoded[1].Ids);
        CollectionAssert.AreEqual(Ids(Bos, "bc  "), encoded[2].Ids);
        CollectionAssert.AreEqual(new[] { 2, 2, 3 }, encoded.Select(one => one.ResponseStart).ToArray());
    }

    [TestMethod]
    public void ATokenThatTheModelLacksIsNamedWithItsColumn()
    {
        var config = TestModels.Config(4);
        Assert.Contains("'C'", Assert.ThrowsExactly<ArgumentException>(() => Encode("ab", "c", Bytes(), config)).Message);
    }

    [TestMethod]
    public void TheLastTokensAreKept()
    {
        var whole = new CompletionTokens([1, 2, 3, 4, 5], 3);
        Assert.AreEqual(whole, whole.Last(5));
        var (ids, start) = whole.Last(3);
        CollectionAssert.AreEqual(new[] { 3, 4, 5 }, ids);
        Assert.AreEqual(1, start);
        Assert.AreEqual(0, whole.Last(2).ResponseStart);
        Assert.AreEqual(0, whole.Last(1).ResponseStart);
    }

    private static CompletionTokens Encode(string context, string choice, Tokenizer? tokenizer = null, CoLMConfig? config = null) =>
        new ChoiceEncoder(tokenizer ?? Bytes(), config ?? Config, "C", "D").Encode(7, [context], [choice])[0];

    private static Tokenizer Bytes() => ByteTokenizer.CreateFiles().CreateTokenizer();

    private static Tokenizer WithoutBeginning() => TestTokenizers.Json(json => json["post_processor"] = null).CreateTokenizer();

    private static int[] Ids(int? first, string text) =>
        [.. first is { } id ? new[] { id } : [], .. System.Text.Encoding.UTF8.GetBytes(text).Select(value => (int)value)];
}
