using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass]
public sealed class TokenizerJsonTests
{
    [TestMethod]
    public void MergesMayBeTextsOrPairs()
    {
        Tokenizer texts = Create(json => TestTokenizers.AddMerges(json, "t h", "th e", "Ġ the"));
        Tokenizer pairs = Create(json =>
        {
            TestTokenizers.AddMerges(json, "t h", "th e", "Ġ the");
            json["model"]!["merges"] = new JsonArray(
                new JsonArray("t", "h"), new JsonArray("th", "e"), new JsonArray("Ġ", "the"));
        });
        string[] expected = ["<|begin_of_text|>", "the", "Ġthe", "Ġ", "th"];
        CollectionAssert.AreEqual(expected, texts.Names("the the th"));
        CollectionAssert.AreEqual(expected, pairs.Names("the the th"));
    }

    [TestMethod]
    public void AWordOfTheVocabularyIsTakenWholeOnlyWhereMergesAreIgnored()
    {
        Tokenizer Words(bool ignoreMerges) => Create(json =>
        {
            TestTokenizers.UseLlama3Words(json);
            TestTokenizers.AddMerges(json, "a b", "b c");
            json["model"]!["vocab"]!["Ġabc"] = 260;
            json["model"]!["ignore_merges"] = ignoreMerges;
        });
        CollectionAssert.AreEqual(
            (string[])["<|begin_of_text|>", "x", "Ġabc", "Ġ", "ab"], Words(true).Names("x abc ab"));
        CollectionAssert.AreEqual(
            (string[])["<|begin_of_text|>", "x", "Ġ", "ab", "c", "Ġ", "ab"], Words(false).Names("x abc ab"));
    }

    [TestMethod]
    public void MergesStayWithinAWord()
    {
        Tokenizer words = Create(json =>
        {
            TestTokenizers.UseLlama3Words(json);
            TestTokenizers.AddMerges(json, "1 2", "12 3", "123 4", "! a", "ģ a");
        });
        CollectionAssert.AreEqual((string[])["<|begin_of_text|>", "123", "4"], words.Names("1234"));
        CollectionAssert.AreEqual((string[])["<|begin_of_text|>", "!a"], words.Names("!a"));
        // An emoji is one character, so it may begin the word of the letters after it.
        Assert.AreEqual("ģa", words.Names("😁a")[^1]);
    }

    [TestMethod]
    public void TheLongestAddedTokenIsTaken()
    {
        int shorter = 0, longer = 0;
        Tokenizer tokenizer = Create(json =>
        {
            shorter = TestTokenizers.AddToken(json, "<sep>", special: true);
            longer = TestTokenizers.AddToken(json, "<sep><sep>", special: true);
        });
        CollectionAssert.AreEqual(
            (int[])[256, longer, shorter, 'x'], tokenizer.EncodeToIds("<sep><sep><sep>x").ToArray());
    }

    [TestMethod]
    public void AnAddedTokenThatIsNotSpecialIsText()
    {
        Tokenizer tokenizer = Create(json => TestTokenizers.AddToken(json, "né x", special: false));
        CollectionAssert.AreEqual((string[])["<|begin_of_text|>", "a", "né x", "b"], tokenizer.Names("ané xb"));
        Assert.AreEqual("ané xb", tokenizer.Decode(tokenizer.EncodeToIds("ané xb")));
    }

    [TestMethod]
    public void TheBeginningIsThatOfThePostProcessor()
    {
        Tokenizer none = Create(json => json["post_processor"] = null);
        Tokenizer offsets = Create(json => json["post_processor"] = TestTokenizers.ByteLevel(useRegex: true));
        Tokenizer both = Create(json => json["post_processor"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["processors"] = new JsonArray(
                TestTokenizers.ByteLevel(useRegex: true), json["post_processor"]!.DeepClone()),
        });
        Tokenizer textAlone = Create(json => json["post_processor"]!["single"]!.AsArray().RemoveAt(0));
        CollectionAssert.AreEqual((int[])['a'], none.EncodeToIds("a").ToArray());
        CollectionAssert.AreEqual((int[])['a'], offsets.EncodeToIds("a").ToArray());
        CollectionAssert.AreEqual((int[])[256, 'a'], both.EncodeToIds("a").ToArray());
        CollectionAssert.AreEqual((int[])['a'], textAlone.EncodeToIds("a").ToArray());
    }

    [TestMethod]
    public void DigitsMayBeWordsOfTheirOwn()
    {
        Tokenizer Digits(bool individual) => Create(json =>
        {
            json["pre_tokenizer"] = new JsonObject
            {
                ["type"] = "Sequence",
                ["pretokenizers"] = new JsonArray(
                    new JsonObject { ["type"] = "Digits", ["individual_digits"] = individual },
                    TestTokenizers.ByteLevel(useRegex: true)),
            };
            TestTokenizers.AddMerges(json, "1 2", "Ġ 1");
        });
        CollectionAssert.AreEqual((string[])["<|begin_of_text|>", "Ġ", "1", "2"], Digits(true).Names(" 12"));
        CollectionAssert.AreEqual((string[])["<|begin_of_text|>", "Ġ", "12"], Digits(false).Names(" 12"));
    }

    [TestMethod]
    public void SettingsThatChangeNothingAreAccepted()
    {
        Tokenizer tokenizer = Create(json =>
        {
            json["normalizer"] = new JsonObject { ["type"] = "Sequence", ["normalizers"] = new JsonArray() };
            json["truncation"] = new JsonObject { ["max_length"] = 3 };
            json["model"]!["continuing_subword_prefix"] = "";
            json["model"]!["end_of_word_suffix"] = "";
            json["model"]!["unk_token"] = "<|end_of_text|>";
            json["model"]!.AsObject().Remove("type");
            json["model"]!.AsObject().Remove("byte_fallback");
        });
        CollectionAssert.AreEqual((int[])[256, 'a', 'b', 'c', 'd'], tokenizer.EncodeToIds("abcd").ToArray());
    }

    [TestMethod]
    public void ItAgreesWithTheLibrarysTokenizerWhereThatOneIsRight()
    {
        string[] merges = ["a b", "b a", "ab a", "Ġ a", "ba b", "aba b", "Ġa b", "! !", "é Ġ"];
        Tokenizer own = Create(json =>
        {
            TestTokenizers.UseLlama3Words(json);
            TestTokenizers.AddMerges(json, merges);
            json["post_processor"] = null;
        });
        Dictionary<string, int> vocabulary = [];
        TestTokenizers.Json(json =>
        {
            TestTokenizers.AddMerges(json, merges);
            foreach ((string token, JsonNode? id) in json["model"]!["vocab"]!.AsObject())
                vocabulary.Add(token, id!.GetValue<int>());
        });
        var library = BpeTokenizer.Create(new BpeOptions(vocabulary)
        {
            ByteLevel = true,
            Merges = merges,
            PreTokenizer = new RegexPreTokenizer(new Regex(TestTokenizers.Llama3Pattern), null),
        });
        var random = new Random(3);
        for (var round = 0; round < 300; round++)
        {
            string text = TestTokenizers.RandomText(random, random.Next(1, 40), "aaabbb !!é\n");
            CollectionAssert.AreEqual(library.EncodeToIds(text).ToArray(), own.EncodeToIds(text).ToArray(), text);
        }
    }

    private static Tokenizer Create(Action<JsonObject> change) => TestTokenizers.Json(change).CreateTokenizer();
}
