using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

/// <summary>Tokenizers of all kinds that checkpoints have, with what Hugging Face's transformers makes of texts with them.</summary>
[TestClass]
public sealed class GoldenCasesTests
{
    public static IEnumerable<object[]> Folders => SharedData.Rows("golden-cases", "tokenizer-*");

    [TestMethod]
    [DynamicData(nameof(Folders))]
    public void EveryTextHasTheIdsAndTheDecodedTextOfTransformers(string name)
    {
        string folder = SharedData.Folder("golden-cases", name);
        var tokenizer = CoLMTokenizer.Load(folder);
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "golden.json")));
        foreach (JsonElement entry in golden.RootElement.EnumerateArray())
        {
            string text = entry.GetProperty("text").GetString()!;
            int[] ids = [.. entry.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
            CollectionAssert.AreEqual(ids, tokenizer.EncodeToIds(text).ToArray(), text);
            Assert.AreEqual(entry.GetProperty("decoded").GetString(), tokenizer.Decode(ids), text);
            CollectionAssert.AreEqual(ids, tokenizer.EncodeToTokens(text, out _).Select(token => token.Id).ToArray(), text);
            Assert.AreEqual(tokenizer.Decode(ids), Streamed(tokenizer, ids), text);
        }
    }

    [TestMethod]
    [DynamicData(nameof(Folders))]
    public void WithoutSpecialTokensNoTextHasOne(string name)
    {
        string folder = SharedData.Folder("golden-cases", name);
        var parsing = (ModelTokenizer)CoLMTokenizer.Load(folder);
        var plain = (ModelTokenizer)CoLMTokenizer.Load(folder, parseSpecialTokens: false);
        foreach (string token in (string[])["<s>", "</s>", "<unk>", "<|endoftext|>", "<|im_end|>", "[PAD]"])
        {
            if (parsing.EncodeText(token) is not [int special] || parsing.Decode([special]).Length > 0)
                continue;
            string text = $"a {token}b{token}{token} c";
            Assert.Contains(special, parsing.EncodeText(text));
            Assert.DoesNotContain(special, plain.EncodeText(text));
            CollectionAssert.AreEqual(plain.EncodeText(text), parsing.WithSpecialTokens(false).EncodeText(text));
            CollectionAssert.AreEqual(parsing.Template.Before.ToArray(), plain.Template.Before.ToArray());
        }
    }

    [TestMethod]
    public void ATokenizerWithoutABeginningScoresTextsWithoutOne()
    {
        var tokenizer = CoLMTokenizer.Load(SharedData.Folder("golden-cases", "tokenizer-add-bos-false"));
        CollectionAssert.AreEqual((int[])[291, 280, 294], tokenizer.EncodeDocument("The cat", 1));
    }

    [TestMethod]
    public void LlamaTokenizerFallsBackToBytesWhateverTheFileSays()
    {
        string folder = SharedData.Folder("golden-cases", "tokenizer-llama2-json");
        JsonNode json = JsonNode.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")))!;
        var expected = Read(json);
        json["model"]!["byte_fallback"] = false;
        var without = Read(json);
        json["model"]!.AsObject().Remove("byte_fallback");
        var older = Read(json);
        foreach (string text in (string[])["a </s>Human", "  猫 and\t🐈</s> b"])
        {
            CollectionAssert.AreEqual(expected.EncodeToIds(text).ToArray(), without.EncodeToIds(text).ToArray());
            CollectionAssert.AreEqual(expected.EncodeToIds(text).ToArray(), older.EncodeToIds(text).ToArray());
        }

        static Microsoft.ML.Tokenizers.Tokenizer Read(JsonNode json) => new TokenizerFiles(
        [
            new(TokenizerFiles.JsonName, Encoding.UTF8.GetBytes(json.ToJsonString())),
            new(TokenizerFiles.ConfigName, """{"tokenizer_class": "LlamaTokenizer"}"""u8.ToArray()),
        ]).CreateTokenizer();
    }

    private static string Streamed(Microsoft.ML.Tokenizers.Tokenizer tokenizer, int[] ids)
    {
        var detokenizer = Detokenizer.Create(tokenizer, []);
        var text = new ArrayBufferWriter<char>();
        foreach (int id in ids)
            detokenizer.Append(id, text);
        detokenizer.Complete(text);
        return text.WrittenSpan.ToString();
    }
}
