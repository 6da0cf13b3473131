using System.Text;
using System.Text.Json;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass]
public sealed class ByteTokenizerTests
{
    private static readonly Tokenizer Bytes = ByteTokenizer.CreateFiles().CreateTokenizer();

    [TestMethod]
    public void ATextsIdsAreItsBytesAfterTheBeginningAndDecodeBack()
    {
        var random = new Random(2);
        for (var round = 0; round < 500; round++)
        {
            string text = TestTokenizers.RandomText(random, random.Next(60));
            int[] expected = [ByteTokenizer.BeginningOfTextId, .. Encoding.UTF8.GetBytes(text)];
            int[] ids = Bytes.EncodeDocument(text, ByteTokenizer.BeginningOfTextId);
            CollectionAssert.AreEqual(expected, ids);
            CollectionAssert.AreEqual(expected, Bytes.EncodeToIds(text).ToArray());
            Assert.AreEqual(text, Bytes.DecodeDocument(ids));
        }
    }

    [TestMethod]
    public void HalvesOfSurrogatePairsBecomeReplacementCharacters()
    {
        Assert.AreEqual("a\ufffdb", Bytes.Decode(Bytes.EncodeToIds("a\ud83db")));
        Assert.AreEqual("\ufffd\ufffd", Bytes.Decode(Bytes.EncodeToIds("\udc00\ud800")));
    }

    [TestMethod]
    public void BytesThatAreNoTextDecodeToReplacementCharacters()
    {
        Assert.AreEqual("a\ufffd", Bytes.Decode(['a', 0xF0, 0x9F])); // an emoji cut short
        Assert.AreEqual("\ufffdb", Bytes.Decode([0xFF, 'b']));
    }

    [TestMethod]
    public void SpecialTokensAreReadFromTheTextAndNotDecoded()
    {
        int[] ids = Bytes.EncodeDocument("a<|end_of_text|>b<|end_of_text", ByteTokenizer.BeginningOfTextId);
        CollectionAssert.AreEqual(
            (int[])[256, 'a', ByteTokenizer.EndOfTextId, 'b', .. "<|end_of_text"u8.ToArray()], ids);
        Assert.AreEqual("ab<|end_of_text", Bytes.DecodeDocument(ids));
    }

    [TestMethod]
    public void IdsThatNoTokenHasAreLeftOut() => Assert.AreEqual("ab", Bytes.Decode(['a', 258, -1, 100_000, 'b']));

    [TestMethod]
    public void ItsFilesAreThoseOfAFolderThatUsersLoad()
    {
        using var folder = new TemporaryFolder();
        foreach ((string name, byte[] content) in ByteTokenizer.CreateFiles().Files)
            File.WriteAllBytes(folder[name], content);
        var loaded = CoLMTokenizer.Load(folder.Path);
        CollectionAssert.AreEqual((int[])[256, 'h', 'i'], loaded.EncodeToIds("hi").ToArray());
    }

    [TestMethod]
    public void ItsFileHasTheShapeThatHuggingFacesTokenizersRead()
    {
        IReadOnlyList<KeyValuePair<string, byte[]>> files = ByteTokenizer.CreateFiles().Files;
        CollectionAssert.AreEqual(
            (string[])["tokenizer.json", "tokenizer_config.json"], files.Select(file => file.Key).ToArray());
        using var tokenizer = JsonDocument.Parse(files[0].Value);
        using var config = JsonDocument.Parse(files[1].Value);

        JsonElement root = tokenizer.RootElement;
        CollectionAssert.AreEqual(
            (string[])["version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                "post_processor", "decoder", "model"],
            root.EnumerateObject().Select(member => member.Name).ToArray());
        JsonElement model = root.GetProperty("model");
        Assert.AreEqual("BPE", model.GetProperty("type").GetString());
        Assert.AreEqual(0, model.GetProperty("merges").GetArrayLength());
        CollectionAssert.AreEqual(
            Enumerable.Range(0, 256).ToArray(),
            model.GetProperty("vocab").EnumerateObject().Select(token => token.Value.GetInt32()).ToArray());
        Assert.AreEqual(32, model.GetProperty("vocab").GetProperty("Ġ").GetInt32());
        Assert.AreEqual("<|begin_of_text|>", config.RootElement.GetProperty("bos_token").GetString());
        Assert.AreEqual("<|end_of_text|>", config.RootElement.GetProperty("eos_token").GetString());
        Assert.AreEqual(
            ByteTokenizer.VocabularySize,
            model.GetProperty("vocab").EnumerateObject().Count() + root.GetProperty("added_tokens").GetArrayLength());
    }
}
