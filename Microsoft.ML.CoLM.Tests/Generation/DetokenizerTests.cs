using System.Buffers;
using System.Text;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Tests.Tokenizers;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Generation;

[TestClass, DoNotParallelize]
public sealed class DetokenizerTests
{
    private static readonly string[] Pieces = ["▁", "a", "b", "▁a", "猫", "ab"];

    // The library's SentencePiece takes the first space behind bytes away, too, unless a letter is before them.
    public static IEnumerable<object[]> Tokenizers =>
    [
        ["bytes", ByteTokenizer.CreateFiles().CreateTokenizer(), 258, ""],
        ["SentencePiece", Files().CreateTokenizer(), 265, ""],
        ["bytes by windows", new Opaque(ByteTokenizer.CreateFiles().CreateTokenizer()), 258, ""],
        ["SentencePiece by windows", new Opaque(Files().CreateTokenizer()), 265, ""],
        ["the library's SentencePiece", LlamaTokenizer.Create(new MemoryStream(Files().Files[0].Value)), 265, "a"],
    ];

    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void ThePiecesOfATextAreWhatDecodingAllOfItAddsToItsPrompt(
        string name, Tokenizer tokenizer, int vocabularySize, string beginning)
    {
        var random = new Random(1);
        foreach (var text in (string[])["", " ", "  a", "a b", "猫🐈 ä 猫", " ab  a b🐈"])
        {
            int[] ids = tokenizer.EncodeDocument(beginning + text, bosTokenId: vocabularySize > 258 ? 1 : 256);
            for (var promptLength = 1 + beginning.Length; promptLength <= ids.Length; promptLength++)
            {
                // The prompt is text: it does not end within a character.
                if (tokenizer.DecodeDocument(ids[..promptLength]).Contains('\uFFFD'))
                    continue;
                Check(name, tokenizer, ids[..promptLength], ids[promptLength..]);
                Check(name, tokenizer, ids[..promptLength], RandomIds(random, vocabularySize, 30));
            }
        }
    }

    // The character's bytes and one more each; the whole run decides what they are.
    [TestMethod]
    [DataRow(0, new byte[] { 0xE7, 0x8C, 0xAB, 0x61 }, "猫a")]
    [DataRow(0, new byte[] { 0xE7, 0x8C, 0xAB, 0xFF }, "\uFFFD\uFFFD\uFFFD\uFFFD")]
    [DataRow(1, new byte[] { 0xE7, 0x8C, 0xAB, 0x61 }, "猫a")]
    [DataRow(2, new byte[] { 0xE7, 0x8C, 0xAB, 0x61 }, "猫a")]
    [DataRow(2, new byte[] { 0xE7, 0x8C, 0x61 }, "\uFFFD")]
    [DataRow(3, new byte[] { 0xE7, 0x8C, 0xAB, 0x61 }, "a")]
    [DataRow(3, new byte[] { 0xE7, 0x8C, 0xAB, 0xFF }, "\uFFFD\uFFFD\uFFFD")]
    [DataRow(4, new byte[] { 0xE7, 0x8C, 0xAB, 0xFF, 0x61 }, "\uFFFD")]
    public void ARunOfBytesThatBeginsInThePromptIsOneRun(int promptBytes, byte[] bytes, string expected)
    {
        var tokenizer = Files().CreateTokenizer();
        int letter = SentencePieceBytes.FirstPiece + 1;
        int[] run = [.. bytes.Select(value => SentencePieceBytes.ByteZero + value)];
        foreach (var kind in (Tokenizer[])[tokenizer, new Opaque(tokenizer)])
        {
            var detokenizer = Detokenizer.Create(kind, [1, letter, .. run[..promptBytes]]);
            var written = new ArrayBufferWriter<char>();
            foreach (int token in run[promptBytes..])
                detokenizer.Append(token, written);
            Assert.AreEqual("", written.WrittenSpan.ToString(), "The run goes on.");
            detokenizer.Append(letter, written);
            detokenizer.Complete(written);
            Assert.AreEqual(expected + "a", written.WrittenSpan.ToString(), kind.GetType().Name);
        }
    }

    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void NoPieceSplitsACharacter(string name, Tokenizer tokenizer, int vocabularySize, string beginning)
    {
        int[] ids = tokenizer.EncodeDocument(beginning + "ä猫🐈a𝒳🐈🐈", bosTokenId: vocabularySize > 258 ? 1 : 256);
        var detokenizer = Detokenizer.Create(tokenizer, ids[..1]);
        foreach (var token in ids[1..])
        {
            var piece = new ArrayBufferWriter<char>();
            detokenizer.Append(token, piece);
            var text = piece.WrittenSpan.ToString();
            Assert.DoesNotContain('\uFFFD', text, name);
            Assert.AreEqual(text, Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)), name);
        }
    }

    private static void Check(string name, Tokenizer tokenizer, int[] prompt, int[] continuation)
    {
        var written = new ArrayBufferWriter<char>();
        var detokenizer = Detokenizer.Create(tokenizer, prompt);
        foreach (var token in continuation)
            detokenizer.Append(token, written);
        detokenizer.Complete(written);
        var all = tokenizer.DecodeDocument([.. prompt, .. continuation]);
        var expected = all[tokenizer.DecodeDocument(prompt).Length..];
        Assert.AreEqual(expected, written.WrittenSpan.ToString(), name);
    }

    private static int[] RandomIds(Random random, int vocabularySize, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => random.Next(3, vocabularySize))];

    private static TokenizerFiles Files() => new SentencePieceBytes().Add(Pieces).ToFiles();

    /// <summary>A tokenizer whose kind nobody knows.</summary>
    private sealed class Opaque(Tokenizer tokenizer) : Tokenizer
    {
        public override string Decode(IEnumerable<int> ids) => tokenizer.Decode(ids);

        public override OperationStatus Decode(
            IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten) =>
            tokenizer.Decode(ids, destination, out idsConsumed, out charsWritten);

        protected override EncodeResults<EncodedToken> EncodeToTokens(
            string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings) => new()
            {
                Tokens = tokenizer.EncodeToTokens(text ?? textSpan.ToString(), out _),
                CharsConsumed = textSpan.Length,
            };
    }
}
