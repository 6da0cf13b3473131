using System.Buffers;
using System.Text.Json;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

/// <summary>Tokenizers of all kinds that checkpoints have, with what Hugging Face's transformers makes of texts with them.</summary>
[TestClass]
public sealed class GoldenCasesTests
{
    public static IEnumerable<object[]> Folders => Directory.GetDirectories(SharedData.Folder("golden-cases"), "tokenizer-*")
        .Order(StringComparer.Ordinal).Select(folder => new object[] { Path.GetFileName(folder) });

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
