using System.Text.Json;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass]
public sealed class GoldenTokenizerTests
{
    [TestMethod]
    public void EveryTextHasTheIdsThatSentencePieceGivesItAndDecodesBack() => Compare(
        SharedData.Folder("data", "stories260K"),
        SharedData.Folder("golden", "tokenizer-sentencepiece", "golden.json"),
        beginningId: 1);

    [TestMethod]
    public void EveryTextHasTheIdsThatHuggingFacesTokenizersGiveItAndDecodesBack() => Compare(
        SharedData.Folder("golden", "tokenizer-bpe"),
        SharedData.Folder("golden", "tokenizer-bpe", "golden.json"),
        beginningId: 1024);

    private static void Compare(string folder, string goldenFile, int beginningId)
    {
        var tokenizer = CoLMTokenizer.Load(folder);
        using var golden = JsonDocument.Parse(File.ReadAllBytes(goldenFile));
        Assert.IsGreaterThan(10, golden.RootElement.GetArrayLength());
        foreach (JsonElement entry in golden.RootElement.EnumerateArray())
        {
            string text = entry.GetProperty("text").GetString()!;
            int[] ids = [.. entry.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
            string decoded = entry.TryGetProperty("decoded", out JsonElement field) ? field.GetString()! : text;

            CollectionAssert.AreEqual(ids, tokenizer.EncodeToIds(text).ToArray(), text);
            CollectionAssert.AreEqual(ids, tokenizer.EncodeDocument(text, beginningId), text);
            Assert.AreEqual(decoded, tokenizer.Decode(ids));
            Assert.AreEqual(decoded, tokenizer.DecodeDocument(ids));
        }
    }
}
