using System.Buffers;
using System.Diagnostics;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass, DoNotParallelize]
public sealed class ModelTokenizerTests
{
    public static IEnumerable<object[]> Tokenizers =>
    [
        ["SentencePiece", new SentencePieceBytes()
            .Add("ab", "▁a", "aba", "▁▁", "bb", "é").Add("▁", "a", "b").ToFiles().CreateTokenizer()],
        ["byte level", TestTokenizers.Json(json =>
        {
            TestTokenizers.UseLlama3Words(json);
            TestTokenizers.AddMerges(json, "a b", "Ġ a", "ab a", "b b", "Ã ©");
            json["model"]!["ignore_merges"] = true;
        }).CreateTokenizer()],
    ];

    [TestMethod]
    [DataRow(0, "<s>:0-0 ▁:0-0 ab:0-2 ▁▁:2-4 é:4-5 <0xF0>:5-7 <0x9F>:5-7 <0x98>:5-7 <0x80>:5-7 </s>:7-11 b:11-12")]
    [DataRow(1, "<|begin_of_text|>:0-0 ab:0-2 Ġ:2-3 â:3-4 ĸ:3-4 ģ:3-4 Ã©:4-5 ð:5-7 Ł:5-7 ĺ:5-7 Ģ:5-7 " +
        "<:7-8 /:8-9 s:9-10 >:10-11 b:11-12")]
    public void TokensSayWhichCharactersTheyStandFor(int which, string expected)
    {
        var tokenizer = (Tokenizer)Tokenizers.ElementAt(which)[1];
        IReadOnlyList<EncodedToken> tokens = tokenizer.EncodeToTokens("ab ▁é😀</s>b", out _);
        Assert.AreEqual(expected, string.Join(' ', tokens.Select(
            token => $"{token.Value}:{token.Offset.Start}-{token.Offset.End}")));
    }

    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void TokensCoverAText(string name, Tokenizer tokenizer)
    {
        var random = new Random(7);
        for (var round = 0; round < 300; round++)
        {
            string text = TestTokenizers.RandomText(random, random.Next(1, 20), "aabb é▁x") + "<s>" +
                TestTokenizers.RandomText(random, 5);
            IReadOnlyList<EncodedToken> tokens = tokenizer.EncodeToTokens(text, out _);
            CollectionAssert.AreEqual(
                tokenizer.EncodeToIds(text).ToArray(), tokens.Select(token => token.Id).ToArray(), name);
            Assert.AreEqual(0, tokens[0].Offset.End.Value);
            Assert.AreEqual(text.Length, tokens[^1].Offset.End.Value);
            for (var i = 1; i < tokens.Count; i++)
            {
                Assert.IsLessThanOrEqualTo(tokens[i - 1].Offset.End.Value, tokens[i].Offset.Start.Value);
                Assert.IsGreaterThanOrEqualTo(tokens[i - 1].Offset.End.Value, tokens[i].Offset.End.Value);
            }
        }
    }

    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void TextsAreCutAtANumberOfTokens(string name, Tokenizer tokenizer)
    {
        const string Text = "ab aba bb x ab";
        IReadOnlyList<EncodedToken> tokens = tokenizer.EncodeToTokens(Text, out _);
        Assert.AreEqual(tokens.Count, tokenizer.CountTokens(Text), name);
        for (var count = 1; count <= tokens.Count + 1; count++)
        {
            int kept = Math.Min(count, tokens.Count);
            IReadOnlyList<int> ids = tokenizer.EncodeToIds(Text, count, out _, out int consumed);
            CollectionAssert.AreEqual(tokens.Take(kept).Select(token => token.Id).ToArray(), ids.ToArray());
            Assert.AreEqual(tokens[kept - 1].Offset.End.Value, consumed);
            Assert.AreEqual(consumed, tokenizer.GetIndexByTokenCount(Text, count, out _, out int counted));
            Assert.AreEqual(kept, counted);
        }
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => tokenizer.EncodeToIds(Text, 0, out _, out _));
    }

    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void TextIsDecodedIntoABufferThatIsLargeEnough(string name, Tokenizer tokenizer)
    {
        const string Text = "ab é 😀";
        int[] ids = [.. tokenizer.EncodeToIds(Text)];
        var buffer = new char[Text.Length];
        Assert.AreEqual(
            OperationStatus.Done, tokenizer.Decode(ids, buffer, out int idsConsumed, out int charsWritten), name);
        Assert.AreEqual(Text, new string(buffer));
        Assert.AreEqual((ids.Length, Text.Length), (idsConsumed, charsWritten));
        Assert.AreEqual(
            OperationStatus.DestinationTooSmall,
            tokenizer.Decode(ids, buffer.AsSpan(1), out idsConsumed, out charsWritten));
        Assert.AreEqual((0, 0), (idsConsumed, charsWritten));
    }

    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void SeveralThreadsGetWhatOneGets(string name, Tokenizer tokenizer)
    {
        var random = new Random(8);
        string[] texts =
            [.. Enumerable.Range(0, 2_000).Select(_ => TestTokenizers.RandomText(random, 60, "aab b é x!日本"))];
        var together = new int[texts.Length][];
        Parallel.For(0, texts.Length, new() { MaxDegreeOfParallelism = 8 },
            i => together[i] = tokenizer.EncodeDocument(texts[i], null));
        for (var i = 0; i < texts.Length; i++)
        {
            CollectionAssert.AreEqual(tokenizer.EncodeDocument(texts[i], null), together[i], name);
            Assert.AreEqual(texts[i], tokenizer.Decode(together[i]), name);
        }
    }

    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void AMillionCharactersTakeSecondsEvenWithoutASpace(string name, Tokenizer tokenizer)
    {
        // Time quadratic in the length of a word would be minutes; this takes about a second.
        var random = new Random(9);
        foreach (string text in (string[])[
            TestTokenizers.RandomText(random, 1_000_000, "ab"), new('a', 1_000_000), new(' ', 1_000_000)])
        {
            var watch = Stopwatch.StartNew();
            int[] ids = tokenizer.EncodeDocument(text, null);
            Assert.IsLessThan(20, watch.Elapsed.TotalSeconds, name);
            Assert.AreEqual(text, tokenizer.DecodeDocument(ids));
        }
    }

    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void TextsOfOneKindOfCharacterTakeSecondsAsWell(string name, Tokenizer tokenizer)
    {
        const int Count = 250_000;
        foreach (string unit in (string[])["\ud800", "\udc00", "\n", " \n", "\u0301", "\0", "'", "</s", "</s>", "é", "猫", "😀", "7", "▁a"])
        {
            var watch = Stopwatch.StartNew();
            Assert.IsNotEmpty(tokenizer.EncodeDocument(string.Concat(Enumerable.Repeat(unit, Count)), null));
            Assert.IsLessThan(20, watch.Elapsed.TotalSeconds, $"{name}, '{unit}'");
        }
    }

    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void EncodingEndsWithWhatTheCheckThrowsBetweenWordsAndWithinOne(string name, Tokenizer tokenizer)
    {
        foreach (string text in (string[])[new('b', 100_000), string.Concat(Enumerable.Repeat("a b", 1000)), "<s></s><s></s>a b"])
        {
            var checks = 0;
            Assert.ThrowsExactly<OperationCanceledException>(() => tokenizer.EncodeDocument(text, null, () =>
            {
                if (++checks == 3)
                    throw new OperationCanceledException();
            }), name);
            Assert.AreEqual(3, checks, name);
            // A tokenizer goes on as before.
            Assert.AreEqual(text.StartsWith('b') ? text : "b", tokenizer.DecodeDocument(
                tokenizer.EncodeDocument(text.StartsWith('b') ? text : "b", null)), name);
        }
    }
}
