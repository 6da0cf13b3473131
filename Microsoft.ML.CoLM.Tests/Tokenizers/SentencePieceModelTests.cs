using System.Text;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass]
public sealed class SentencePieceModelTests
{
    private static readonly string[] Letters = ["▁", "a", "b", "o", "m", "k", "!"];

    [TestMethod]
    public void OfEqualPairsTheLeftmostIsMerged()
    {
        Tokenizer tokenizer = new SentencePieceBytes().Add("oo", "!!", "▁m").Add(Letters).ToFiles().CreateTokenizer();
        CollectionAssert.AreEqual((string[])["<s>", "▁m", "oo", "o", "k"], tokenizer.Names("moook"));
        CollectionAssert.AreEqual((string[])["<s>", "▁m", "!!", "!!", "!"], tokenizer.Names("m!!!!!"));
    }

    [TestMethod]
    public void TheIdsAreThoseOfMergingTheBestPairOfTheWholeTextFirst()
    {
        string[] texts = ["ab", "▁a", "aba", "▁▁", "b▁a", "bb", "abab", "o▁", "▁b", "▁▁▁", "é"];
        SentencePieceBytes bytes = new SentencePieceBytes().Add(texts).Add("▁", "a", "b", "o");
        Tokenizer tokenizer = bytes.ToFiles().CreateTokenizer();
        var random = new Random(4);
        for (var round = 0; round < 500; round++)
        {
            string text = TestTokenizers.RandomText(random, random.Next(1, 30), "aabb o  ék▁");
            CollectionAssert.AreEqual(Reference(text, bytes), tokenizer.EncodeToIds(text).ToArray(), text);
            Assert.AreEqual(text.Replace('▁', ' '), tokenizer.Decode(tokenizer.EncodeToIds(text)));
        }
    }

    [TestMethod]
    public void ACharacterWithoutAPieceBecomesItsBytes()
    {
        Tokenizer tokenizer = new SentencePieceBytes().Add(Letters).ToFiles().CreateTokenizer();
        var random = new Random(5);
        for (var round = 0; round < 300; round++)
        {
            string text = TestTokenizers.RandomText(random, random.Next(40)).Replace('▁', ' ');
            Assert.AreEqual(text, tokenizer.Decode(tokenizer.EncodeToIds(text)));
        }
        int[] bytes = [.. Encoding.UTF8.GetBytes("é\0").Select(value => SentencePieceBytes.ByteZero + value)];
        CollectionAssert.AreEqual(
            (int[])[1, SentencePieceBytes.FirstPiece, .. bytes], tokenizer.EncodeToIds("é\0").ToArray());
        Assert.AreEqual("\ufffd", tokenizer.Decode(tokenizer.EncodeToIds("\ud800")));
    }

    [TestMethod]
    public void SpecialTokensAreReadFromTheTextAndNoSpaceFollowsThem()
    {
        Tokenizer tokenizer = new SentencePieceBytes().Add(Letters).ToFiles().CreateTokenizer();
        CollectionAssert.AreEqual((string[])["<s>", "▁", "a", "</s>", "b"], tokenizer.Names("a</s>b"));
        CollectionAssert.AreEqual((string[])["<s>", "</s>", "b", "<unk>"], tokenizer.Names("</s>b<unk>"));
        Assert.AreEqual("ab", tokenizer.Decode(tokenizer.EncodeToIds("a</s>b")));
        CollectionAssert.AreEqual((string[])["<s>"], tokenizer.Names(""));
    }

    [TestMethod]
    public void OneLeadingSpaceIsAddedAndTakenAway()
    {
        Tokenizer with = new SentencePieceBytes().Add(Letters).ToFiles().CreateTokenizer();
        Tokenizer without = new SentencePieceBytes { AddDummyPrefix = false }.Add(Letters).ToFiles().CreateTokenizer();
        CollectionAssert.AreEqual((string[])["<s>", "▁", "▁", "a"], with.Names(" a"));
        Assert.AreEqual(" a", with.Decode(with.EncodeToIds(" a")));
        CollectionAssert.AreEqual((string[])["<s>", "▁", "a"], without.Names(" a"));
        Assert.AreEqual(" a", without.Decode(without.EncodeToIds(" a")));
        // Bytes at the beginning do not hide a space that belongs to the text.
        Assert.AreEqual("\n a", with.Decode([SentencePieceBytes.ByteZero + '\n', .. with.EncodeToIds("a")]));
    }

    [TestMethod]
    public void APieceOfVeryMuchTextThatItsUserDefinedIsRefused()
    {
        var bytes = new SentencePieceBytes();
        bytes.Pieces.Add((new string('x', 1025), 0, 4));
        Refused(bytes, $"piece {SentencePieceBytes.FirstPiece}: expected at most 1024 characters");
    }

    [TestMethod]
    public void APieceThatItsUserDefinedIsFoundBeforeAnythingIsMerged()
    {
        var bytes = new SentencePieceBytes().Add("ab").Add(Letters);
        bytes.Pieces.Add(("bo", 0, 4));
        Tokenizer tokenizer = bytes.ToFiles().CreateTokenizer();
        CollectionAssert.AreEqual((string[])["<s>", "▁", "a", "bo", "ab"], tokenizer.Names("aboab"));
        Assert.AreEqual("aboab", tokenizer.Decode(tokenizer.EncodeToIds("aboab")));
    }

    [TestMethod]
    public void TheBeginningIsTheModels()
    {
        SentencePieceBytes none = new SentencePieceBytes { BeginningId = -1 }.Add(Letters);
        SentencePieceBytes other = new SentencePieceBytes { BeginningId = 2 }.Add(Letters);
        CollectionAssert.AreEqual((string[])["▁", "a"], none.ToFiles().CreateTokenizer().Names("a"));
        CollectionAssert.AreEqual((string[])["</s>", "▁", "a"], other.ToFiles().CreateTokenizer().Names("a"));
    }

    [TestMethod]
    public void TheConfigurationAddsTokensAndMayLeaveTheBeginningOut()
    {
        var tokenizer = WithConfig("""
            {"add_bos_token": false, "added_tokens_decoder": {
                "2": {"content": "</s>", "special": true, "lstrip": false},
                "266": {"content": "<pad>", "special": true},
                "267": {"content": "kk", "special": false},
                "268": {"content": "▁<PRE>", "special": true}}}
            """);
        CollectionAssert.AreEqual((int[])[259, 260, 2, 266, 267], tokenizer.EncodeToIds("a</s><pad>kk").ToArray());
        Assert.AreEqual("akk", tokenizer.Decode([259, 260, 2, 266, 267]));
        CollectionAssert.AreEqual((string[])["▁", "a", "▁<PRE>"], tokenizer.Names("a▁<PRE>"));
    }

    [TestMethod]
    [DataRow("""{"added_tokens_decoder": {"x": {"content": "<x>"}}}""", "added_tokens_decoder.x: expected a token id")]
    [DataRow("""{"added_tokens_decoder": {"266": {"content": "<x>", "rstrip": "yes"}}}""",
        "added_tokens_decoder.266.rstrip: expected true or false, found \"yes\"")]
    [DataRow("""{"tokenizer_class": "LlamaTokenizer", "add_bos_token": true, "bos_token": ""}""", "bos_token: expected the token")]
    [DataRow("""{"tokenizer_class": "LlamaTokenizer", "add_eos_token": true, "eos_token": ""}""", "eos_token: expected the token")]
    [DataRow("""{"bos_token": 7}""", "bos_token: expected a string, found 7")]
    [DataRow("""{"clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": true}""",
        "corrupt_output: expected false, found true")]
    [DataRow("""{"add_bos_token": "no"}""", "add_bos_token: expected true or false, found \"no\"")]
    [DataRow("{", "not valid JSON")]
    public void AConfigurationThatIsNotSupportedIsRefusedByName(string config, string expected)
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => WithConfig(config));
        Assert.StartsWith("tokenizer_config.json", error.Message);
        Assert.Contains(expected, error.Message);
    }

    [TestMethod]
    public void ModelsOfAnotherKindAreRefusedByName()
    {
        Refused(new() { ModelType = 1 }, "trainer_spec.model_type: expected bpe, found unigram.");
        Refused(new() { ModelType = 3 }, "trainer_spec.model_type: expected bpe, found word.");
        Refused(new() { ModelType = 9 }, "trainer_spec.model_type: expected bpe, found 9.");
        Refused(new() { ByteFallback = false }, "trainer_spec.byte_fallback: expected true, found false.");
        Refused(new() { SpaceAsSuffix = true }, "trainer_spec.treat_whitespace_as_suffix: expected false, found true.");
        Refused(new() { BeginningId = 99_999 }, "trainer_spec.bos_id");
        Refused(new() { EscapeSpaces = false }, "normalizer_spec.escape_whitespaces: expected true, found false.");
        Refused(new SentencePieceBytes().Add("a", "a"), "pieces[260].piece");
        Refused(new SentencePieceBytes().Add(""), "pieces[259].piece");
        var unused = new SentencePieceBytes();
        unused.Pieces.Add(("x", 0, 5));
        Refused(unused, "pieces[259].type");
        var noByte = new SentencePieceBytes();
        noByte.Pieces.RemoveAt(SentencePieceBytes.ByteZero + 0x41);
        Refused(noByte, "<0x41>");
        var wrongByte = new SentencePieceBytes();
        wrongByte.Pieces.Add(("<0xZZ>", 0, 6));
        Refused(wrongByte, "pieces[259].piece: expected the name of a byte");
    }

    [TestMethod]
    public void TheModelsOwnNormalizationIsLeftOutAsInTransformers()
    {
        string[] expected = new SentencePieceBytes().Add(Letters).ToFiles().CreateTokenizer().Names("a  b");
        foreach (SentencePieceBytes bytes in (SentencePieceBytes[])[
            new() { Normalizer = "nmt_nfkc" }, new() { CharactersMap = [1, 2] }, new() { RemoveExtraSpaces = true },
            new() { RemoveExtraSpaces = null }])
        {
            CollectionAssert.AreEqual(expected, bytes.Add(Letters).ToFiles().CreateTokenizer().Names("a  b"));
        }
    }

    [TestMethod]
    public void AListedTokenWhoseIdIsAnothersGetsTheNextFreeOne() => CollectionAssert.AreEqual(
        (int[])[1, 259, 260, 266], WithConfig("""{"added_tokens_decoder": {"2": {"content": "</end>"}}}""").EncodeToIds("a</end>").ToArray());

    [TestMethod]
    [DataRow("""{"tokenizer_class": "LlamaTokenizer", "add_bos_token": true}""", "<s> ▁ a </s> b")]
    [DataRow("""{"tokenizer_class": "LlamaTokenizer", "add_bos_token": true, "legacy": true}""", "<s> ▁ a </s> ▁ b")]
    [DataRow("""{"tokenizer_class": "LlamaTokenizerFast", "add_eos_token": true}""", "▁ a </s> b </s>")]
    [DataRow("""{"tokenizer_class": "LlamaTokenizer", "add_prefix_space": false}""", "a </s> b")]
    [DataRow("""{"tokenizer_class": "LlamaTokenizer", "split_special_tokens": true}""", "▁ a <0x3C> <0x2F> <0x73> <0x3E> b")]
    [DataRow("""{"add_bos_token": true, "bos_token": "<b>"}""", "<b> ▁ a </s> b")]
    public void TheConfigurationSaysWhatStandsAroundATextAndBeforeItsParts(string config, string expected) =>
        Assert.AreEqual(expected, string.Join(' ', WithConfig(config).Names("a</s>b")));

    [TestMethod]
    public void ADamagedFileIsRefusedByName()
    {
        byte[] whole = new SentencePieceBytes().Add("ab", "▁a").Add(Letters).ToArray();
        for (var length = 0; length < whole.Length; length++)
        {
            string message = MessageOf(TestTokenizers.Files("tokenizer.model", whole[..length]));
            Assert.StartsWith("tokenizer.model", message);
        }
        foreach (byte[] other in (byte[][])[[], "IQ== 0\nIg== 1\n"u8.ToArray()])
        {
            Assert.Contains(
                "not a SentencePiece model", MessageOf(TestTokenizers.Files("tokenizer.model", other)));
        }

        var random = new Random(6);
        for (var round = 0; round < 1_000; round++)
        {
            byte[] damaged = [.. whole];
            for (var i = 0; i < 4; i++)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            try
            {
                TestTokenizers.Files("tokenizer.model", damaged).CreateTokenizer().EncodeToIds("abba k");
            }
            catch (InvalidDataException e)
            {
                Assert.StartsWith("tokenizer.model", e.Message);
            }
        }
    }

    private static Tokenizer WithConfig(string config) => new TokenizerFiles(
    [
        new("tokenizer.model", new SentencePieceBytes().Add(Letters).ToArray()),
        new("tokenizer_config.json", Encoding.UTF8.GetBytes(config)),
    ]).CreateTokenizer();

    private static void Refused(SentencePieceBytes bytes, string expected) =>
        Assert.Contains(expected, MessageOf(bytes.ToFiles()));

    private static string MessageOf(TokenizerFiles files) =>
        Assert.ThrowsExactly<InvalidDataException>(() => files.CreateTokenizer()).Message;

    /// <summary>The rule as it is written down, on the whole text at once and in cubic time.</summary>
    private static int[] Reference(string text, SentencePieceBytes bytes)
    {
        Dictionary<string, int> ids = [];
        for (var id = SentencePieceBytes.FirstPiece; id < bytes.Pieces.Count; id++)
            ids.Add(bytes.Pieces[id].Text, id);
        List<string> symbols = [.. $"▁{text.Replace(' ', '▁')}".EnumerateRunes().Select(rune => rune.ToString())];
        while (true)
        {
            var best = -1;
            for (var i = 0; i + 1 < symbols.Count; i++)
            {
                if (ids.TryGetValue(symbols[i] + symbols[i + 1], out int id) &&
                    (best < 0 || bytes.Pieces[id].Score > bytes.Pieces[ids[symbols[best] + symbols[best + 1]]].Score))
                {
                    best = i;
                }
            }
            if (best < 0)
                break;
            symbols[best] += symbols[best + 1];
            symbols.RemoveAt(best + 1);
        }
        return [1, .. symbols.SelectMany(symbol => ids.TryGetValue(symbol, out int id)
            ? [id]
            : Encoding.UTF8.GetBytes(symbol).Select(value => SentencePieceBytes.ByteZero + value))];
    }
}
