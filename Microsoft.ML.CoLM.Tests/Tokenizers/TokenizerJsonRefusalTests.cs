using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass]
public sealed class TokenizerJsonRefusalTests
{
    private static readonly Dictionary<string, (Action<JsonObject> Change, string Path, string Found)> Refusals = new()
    {
        ["another model"] = (json => json["model"]!["type"] = "WordPiece", "model.type", "\"WordPiece\""),
        ["no model"] = (json => json.Remove("model"), "model.type", "nothing"),
        ["dropout"] = (json => json["model"]!["dropout"] = 0.1, "model.dropout", "0.1"),
        ["a prefix"] = (json => json["model"]!["continuing_subword_prefix"] = "##",
            "model.continuing_subword_prefix", "\"##\""),
        ["a suffix"] = (json => json["model"]!["end_of_word_suffix"] = "</w>", "model.end_of_word_suffix", "/w"),
        ["a flag that is none"] = (json => json["model"]!["ignore_merges"] = "yes", "model.ignore_merges", "\"yes\""),
        ["no vocabulary"] = (json => json["model"]!.AsObject().Remove("vocab"), "model.vocab", "nothing"),
        ["a byte without a token"] = (json => json["model"]!["vocab"]!.AsObject().Remove("Ġ"),
            "model.vocab.Ġ", "nothing"),
        ["an id of two tokens"] = (json => json["model"]!["vocab"]!["ab"] = 97, "model.vocab.ab", "97"),
        ["an id that is none"] = (json => json["model"]!["vocab"]!["ab"] = -1, "model.vocab.ab", "-1"),
        ["an id with a fraction"] = (json => json["model"]!["vocab"]!["ab"] = 1.5, "model.vocab.ab", "1.5"),
        ["a merge of three"] = (json => json["model"]!["merges"] = new JsonArray("a b c"),
            "model.merges[0]", "\"a b c\""),
        ["a merge that makes no token"] = (json => json["model"]!["merges"] = new JsonArray("a b"),
            "model.merges[0]", "\"a b\""),
        ["a merge that is no text"] = (json => json["model"]!["merges"] = new JsonArray(new JsonArray(1, 2)),
            "model.merges[0][0]", "1"),
        ["merges that are no list"] = (json => json["model"]!["merges"] = "a b", "model.merges", "\"a b\""),
        ["two templates"] = (json => json["post_processor"] = TwoTimes(json["post_processor"]!),
            "post_processor.processors[1].type", "\"TemplateProcessing\""),
        ["a beginning without an id"] = (json => json["post_processor"]!["special_tokens"]!.AsObject().Clear(),
            "post_processor.special_tokens.<|begin_of_text|>.ids", "nothing"),
        ["a beginning that is no token"] = (
            json => json["post_processor"]!["special_tokens"]!["<|begin_of_text|>"]!["ids"] = new JsonArray(999),
            "post_processor.special_tokens.<|begin_of_text|>.ids", "[999]"),
        ["an added token of no text"] = (json => json["added_tokens"]![1]!["content"] = "",
            "added_tokens[1].content", "\"\""),
        ["an added token of very much text"] = (json => json["added_tokens"]![1]!["content"] = new string('x', 1025),
            "added_tokens[1].content", "xxx"),
        ["very many steps"] = (json => json["pre_tokenizer"] = Sequence(
                [.. Enumerable.Range(0, 64).Select(_ => TestTokenizers.Split("a")), TestTokenizers.ByteLevel(false)]),
            "pre_tokenizer.pretokenizers", "Split"),
        ["a very long pattern"] = (json => json["pre_tokenizer"] = Sequence(
                TestTokenizers.Split(new string('a', 8193)), TestTokenizers.ByteLevel(false)),
            "pre_tokenizer.pretokenizers[0].pattern.Regex", "aaa"),
        ["a very long pattern alone"] = (json => json["pre_tokenizer"] = TestTokenizers.Split(new string('a', 20_000)),
            "pre_tokenizer.pattern.Regex", "aaa"),
        ["patterns that are very long together"] = (json => json["pre_tokenizer"] = Sequence(
                [.. Enumerable.Range(0, 3).Select(_ => TestTokenizers.Split(new string('a', 6000))), TestTokenizers.ByteLevel(false)]),
            "pre_tokenizer.pretokenizers", "aaa"),
        ["an added token's id of another"] = (json => json["added_tokens"]![1]!["id"] = 256,
            "added_tokens[1].id", "256"),
        ["an added token of another id"] = (json => json["added_tokens"]![1]!["content"] = "a",
            "added_tokens[1].id", "257"),
        ["characters without bytes or an unknown token"] = (json => json["pre_tokenizer"] = null, "model.unk_token", "null"),
        ["another decoder"] = (json => json["decoder"]!["type"] = "WordPiece", "decoder.type", "\"WordPiece\""),
        ["a decoder that strips the end of all"] = (json => json["decoder"] = Decoders("Fuse", "Strip"),
            "decoder.decoders[1].stop", "1"),
        ["a decoder behind one text of all"] = (json => json["decoder"] = Decoders("Fuse", "ByteFallback"),
            "decoder.decoders[1].type", "\"ByteFallback\""),
        ["another post-processor"] = (json => json["post_processor"] = new JsonObject { ["type"] = "Other" },
            "post_processor.type", "\"Other\""),
        ["a template of two texts"] = (json => json["post_processor"]!["single"]!.AsArray().Add(
            json["post_processor"]!["single"]![1]!.DeepClone()), "post_processor.single[2]", "Sequence"),
        ["a template without a text"] = (json => json["post_processor"]!["single"]!.AsArray().RemoveAt(1),
            "post_processor.single", "SpecialToken"),
        ["a model of kind Unigram"] = (json => json["model"]!["type"] = "Unigram", "model.type", "\"Unigram\""),
        ["a model of kind WordLevel"] = (json => json["model"]!["type"] = "WordLevel", "model.type", "\"WordLevel\""),
    };

    public static IEnumerable<object[]> RefusalNames => Refusals.Keys.Select(name => new object[] { name });

    [TestMethod]
    [DynamicData(nameof(RefusalNames))]
    public void WhatIsNotSupportedIsRefusedByFilePathAndValue(string name)
    {
        (Action<JsonObject> change, string path, string found) = Refusals[name];
        string message = MessageOf(TestTokenizers.Json(change));
        Assert.StartsWith($"tokenizer.json: {path}: expected ", message);
        Assert.Contains(found, message[message.LastIndexOf(", found ", StringComparison.Ordinal)..]);
    }

    [TestMethod]
    [DataRow("", "not valid JSON")]
    [DataRow("""{"model":""", "not valid JSON")]
    [DataRow("[]", "expected a JSON object")]
    [DataRow("""{"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"\ud800":1}}}""", "Unicode")]
    [DataRow("""{"model":7}""", "model: expected an object, found 7")]
    public void AFileThatIsNoTokenizerIsRefused(string content, string expected) =>
        Assert.Contains(expected, MessageOf(TestTokenizers.Files("tokenizer.json", Encoding.UTF8.GetBytes(content))));

    [TestMethod]
    public void ALongValueIsQuotedInPart() => Assert.IsLessThan(
        400, MessageOf(TestTokenizers.Json(json => json["normalizer"] = new string('x', 100_000))).Length);

    private static string MessageOf(TokenizerFiles files) =>
        Assert.ThrowsExactly<InvalidDataException>(() => files.CreateTokenizer()).Message;

    private static JsonObject Sequence(params JsonNode[] steps) =>
        new() { ["type"] = "Sequence", ["pretokenizers"] = new JsonArray(steps) };

    private static JsonObject Decoders(params string[] types) => new()
    {
        ["type"] = "Sequence",
        ["decoders"] = new JsonArray([.. types.Select(type =>
            new JsonObject { ["type"] = type, ["content"] = " ", ["start"] = 1, ["stop"] = 1 })]),
    };

    private static JsonObject TwoTimes(JsonNode step) =>
        new() { ["type"] = "Sequence", ["processors"] = new JsonArray(step.DeepClone(), step.DeepClone()) };
}
