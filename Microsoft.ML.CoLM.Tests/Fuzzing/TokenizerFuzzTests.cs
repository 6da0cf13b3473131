using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Tests.Tokenizers;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Fuzzing;

/// <summary>Tokenizers' files that are not what they were.</summary>
[TestClass, DoNotParallelize]
public sealed class TokenizerFuzzTests
{
    private const string Text = "The cat's 123 mats,\n\n  a  b: Häuser, 猫 und 🐈 <s> </s> aaaaaaaaaaaaaaaaaaaaaaaaaaaa!";

    private static readonly byte[] SentencePiece =
        new SentencePieceBytes().Add("▁the", "▁cat", "at", "th", "▁a", "aa", "aaaa", "猫").ToArray();

    private static readonly byte[] Settings = Encoding.UTF8.GetBytes("""
        { "add_bos_token": true, "add_eos_token": false, "bos_token": "<s>", "eos_token": { "content": "</s>" },
          "added_tokens_decoder": { "1": { "content": "<s>", "special": true }, "2": { "content": "</s>", "special": true } },
          "legacy": false, "model_max_length": 2048, "tokenizer_class": "LlamaTokenizer" }
        """);

    [TestMethod]
    [DataRow(1400)]
    public void JsonTokenizers(int count)
    {
        byte[][] bases = [Json(_ => { }), Json(TestTokenizers.UseLlama3Words)];
        Fuzzer.Run(nameof(JsonTokenizers), count, random =>
            Read((TokenizerFiles.JsonName, Mutation.OfJson(bases[random.Next(bases.Length)], random))),
            typeof(InvalidDataException));
    }

    [TestMethod]
    [DataRow(1000)]
    public void SentencePieceModels(int count) => Fuzzer.Run(nameof(SentencePieceModels), count, random =>
        Read((TokenizerFiles.SentencePieceName, Mutation.OfBytes(SentencePiece, random))), typeof(InvalidDataException));

    [TestMethod]
    [DataRow(600)]
    public void TokenizerSettings(int count) => Fuzzer.Run(nameof(TokenizerSettings), count, random =>
        Read((TokenizerFiles.SentencePieceName, SentencePiece),
            (TokenizerFiles.ConfigName, Mutation.OfJson(Settings, random))), typeof(InvalidDataException));

    private static byte[] Json(Action<JsonObject> change) => TestTokenizers.Json(json =>
    {
        TestTokenizers.AddMerges(json, "t h", "th e", "a t", "a a", "aa aa");
        TestTokenizers.AddToken(json, "<s>", special: true);
        change(json);
    }).Files[0].Value;

    private static bool Read(params (string Name, byte[] Content)[] files)
    {
        var tokenizer = new TokenizerFiles(
            Array.ConvertAll(files, file => KeyValuePair.Create(file.Name, file.Content))).CreateTokenizer();
        var ids = tokenizer.EncodeToIds(Text);
        _ = tokenizer.Decode(ids);
        Assert.AreEqual(ids.Count, tokenizer.CountTokens(Text));
        return true;
    }
}
