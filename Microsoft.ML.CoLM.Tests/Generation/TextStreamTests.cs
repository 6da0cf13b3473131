using System.Text;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Tests.Tokenizers;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Generation;

[TestClass, DoNotParallelize]
public sealed class TextStreamTests
{
    [TestMethod]
    [DataRow("one two", "", new[] { "o", "n", "e", " ", "t", "w", "o" })]
    [DataRow("one two", "tw", new[] { "o", "n", "e", " " })]
    [DataRow("one two", "one", new string[0])]
    [DataRow("aaab", "aab", new[] { "a" })]
    [DataRow("one two", "two!", new[] { "o", "n", "e", " ", "two" })]
    [DataRow("xaby", "b|ab", new[] { "x" })]
    [DataRow("xaby", "aby|b", new[] { "x", "a" })]
    [DataRow("a🐈b", "🐈b", new[] { "a" })]
    [DataRow("a🐈c", "🐈b", new[] { "a", "🐈c" })]
    [DataRow("a🐈🐱", "🐈b", new[] { "a", "🐈🐱" })]
    public void TextThatMayBecomeAStopTextIsHeldBack(string text, string stopTexts, string[] pieces)
    {
        var stream = Bytes(stopTexts);
        List<string> found = [];
        var stopped = false;
        foreach (var value in Encoding.UTF8.GetBytes(text))
        {
            stopped = stream.Append(value);
            TakeTo(found, stream);
            if (stopped)
                break;
        }
        if (!stopped)
            stream.Complete();
        TakeTo(found, stream);
        CollectionAssert.AreEqual(pieces, found);
        Assert.AreEqual(string.Concat(pieces), stream.Text);
    }

    [TestMethod]
    public void WhereATextIsCutDoesNotDependOnItsTokens()
    {
        var random = new Random(1);
        for (var round = 0; round < 500; round++)
        {
            var text = TestTokenizers.RandomText(random, 30, "ab");
            string[] stopTexts = [.. Enumerable.Range(0, random.Next(1, 4))
                .Select(_ => TestTokenizers.RandomText(random, random.Next(2, 6), "ab"))];
            var detector = new StopDetector(stopTexts);

            var end = Enumerable.Range(0, text.Length + 1)
                .FirstOrDefault(end => stopTexts.Any(stop => text[..end].EndsWith(stop, StringComparison.Ordinal)), -1);
            var expected = end < 0 ? text : text[..^(text.Length - end + stopTexts
                .Where(stop => text[..end].EndsWith(stop, StringComparison.Ordinal)).Max(stop => stop.Length))];

            Assert.AreEqual(end >= 0, detector.TryFind(text, out var start));
            Assert.AreEqual(expected, end < 0 ? text : text[..start], $"{text} {string.Join('|', stopTexts)}");

            var stream = new TextStream(new Chunks(text, random), stopTexts);
            var stopped = false;
            for (var i = 0; i < text.Length && !stopped; i++)
                stopped = stream.Append(i);
            if (!stopped)
                stream.Complete();
            Assert.AreEqual(end >= 0, stopped);
            Assert.AreEqual(expected, stream.Text, $"{text} {string.Join('|', stopTexts)}");
        }
    }

    [TestMethod]
    public void TheBeginningOfACharacterAtTheEndIsWhatDecodingMakesOfIt()
    {
        var stream = Bytes("");
        foreach (var value in (byte[])[(byte)'a', 0xF0, 0x9F])
            stream.Append(value);
        Assert.AreEqual("a", stream.Text);
        stream.Complete();
        Assert.AreEqual("a\uFFFD", stream.Text);
    }

    [TestMethod]
    public void AManyTimesLongerTextTakesAsManyTimesAsLong()
    {
        const int Tokens = 400_000;
        var stream = Bytes("the end of it all|something else");
        for (var i = 0; i < Tokens; i++)
        {
            stream.Append('a' + i % 26);
            Assert.AreEqual(i % 26 == 's' - 'a' ? 0 : 1, stream.TakeNew().Length > 0 ? 1 : 0);
        }
        stream.Complete();
        Assert.HasCount(Tokens, stream.Text);
    }

    private static TextStream Bytes(string stopTexts) => new(
        Detokenizer.Create(ByteTokenizer.CreateFiles().CreateTokenizer(), [ByteTokenizer.BeginningOfTextId]),
        stopTexts.Split('|', StringSplitOptions.RemoveEmptyEntries));

    private static void TakeTo(List<string> pieces, TextStream stream)
    {
        if (stream.TakeNew() is { IsEmpty: false } text)
            pieces.Add(text.ToString());
    }

    /// <summary>Gives a text in pieces of random lengths, none included.</summary>
    private sealed class Chunks(string text, Random random) : IDetokenizer
    {
        private int _written;

        public void Append(int token, System.Buffers.IBufferWriter<char> writer) =>
            Write(writer, Math.Min(random.Next(4), text.Length - _written));

        public void Complete(System.Buffers.IBufferWriter<char> writer) => Write(writer, text.Length - _written);

        private void Write(System.Buffers.IBufferWriter<char> writer, int length)
        {
            text.AsSpan(_written, length).CopyTo(writer.GetSpan(length + 1));
            writer.Advance(length);
            _written += length;
        }
    }
}
