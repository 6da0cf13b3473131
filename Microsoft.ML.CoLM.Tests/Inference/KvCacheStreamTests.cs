using System.Security.Cryptography;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Inference;

/// <summary>Streams that hold no cache, or one that was damaged: nothing is believed of them.</summary>
[TestClass, DoNotParallelize]
public sealed class KvCacheStreamTests
{
    // What stands before the header: the format, its version and the header's length.
    private const int HeaderBegin = 16;

    private static readonly Dictionary<string, (Action<BinaryWriter>, string)> Headers = new()
    {
        ["no sequence"] = (Numbers(8, 0), "0 sequences"),
        ["a hundred million sequences"] = (Numbers(8, 100_000_000), "100000000 sequences"),
        ["four hundred thousand sequences"] = (Numbers(8, 400_000, 0, 0), "400000 sequences"),
        ["minus one sequence"] = (Numbers(8, -1), "-1 sequences"),
        ["no capacity"] = (Numbers(0, 1, 0, 0), "capacity of 0"),
        ["a negative capacity"] = (Numbers(-8, 1, 0, 0), "capacity of -8"),
        ["a negative number of tokens"] = (Numbers(8, 1, -1, 0), "-1 tokens"),
        ["more tokens than the capacity"] = (Numbers(2, 1, 3, 1, 2, 3, 3), "3 tokens"),
        ["two thousand million tokens"] = (Numbers(int.MaxValue, 1, int.MaxValue, 1, 1), "2147483647 tokens"),
        ["a negative token"] = (Numbers(8, 1, 2, 1, -1, 2), "token -1"),
        ["a token behind the vocabulary"] = (Numbers(8, 1, 2, 1, 40, 2), "token 40"),
        ["a negative cached length"] = (Numbers(8, 1, 2, 1, 2, -1), "-1 cached"),
        ["a cached length of 2^31"] = (Numbers(8, 1, 2, 1, 2, int.MinValue), "-2147483648 cached"),
        ["a cached length above the tokens"] = (Numbers(8, 1, 2, 1, 2, 3), "3 cached"),
        ["a cached length above the capacity"] = (Numbers(8, 1, 2, 1, 2, 9), "9 cached"),
        ["more behind its last sequence"] = (Numbers(8, 1, 2, 1, 2, 2, 0), "4 bytes behind"),
        ["nothing"] = (Numbers(), "too early"),
        ["a sequence that breaks off"] = (Numbers(8, 1, 2, 1), "2 tokens"),
        ["more tokens than the model's context"] = (
            Numbers([4000, 1, 2000, .. Enumerable.Repeat(1, 2000), 0]), "context of 1100"),
    };

    public static IEnumerable<string> HeaderNames => Headers.Keys;

    [TestMethod]
    public void AFlippedBitAnywhereIsRefused()
    {
        using var model = SessionModels.Create("4,4", kvSharing: false, float32);
        var bytes = Saved(model, [1, 2, 3, 4, 5, 6, 7]);
        var random = new Random(1);
        for (var flip = 0; flip < 300; flip++)
        {
            var (damaged, place, bit) = ((byte[])bytes.Clone(), random.Next(bytes.Length), random.Next(8));
            damaged[place] ^= (byte)(1 << bit);
            foreach (var stream in (Stream[])[new MemoryStream(damaged), new ForwardOnlyStream(damaged)])
                Assert.ThrowsExactly<InvalidDataException>(() => KvCache.Load(stream, model), $"bit {bit} of byte {place}");
        }
    }

    [TestMethod]
    [DynamicData(nameof(HeaderNames))]
    public void AHeaderThatNoCacheHasIsRefusedBeforeItTakesMemory(string name)
    {
        using var model = SessionModels.Create("4", kvSharing: false, float32);
        var (header, message) = Headers[name];
        var bytes = Crafted(model, header);
        foreach (var stream in (Stream[])[new MemoryStream(bytes), new ForwardOnlyStream(bytes)])
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var error = Assert.ThrowsExactly<InvalidDataException>(() => KvCache.Load(stream, model));
            Assert.Contains(message, error.Message);
            Assert.IsLessThan(1 << 20, GC.GetAllocatedBytesForCurrentThread() - before);
        }
    }

    [TestMethod]
    public void WhatDoesNotArriveTakesNoMemory()
    {
        using var model = SessionModels.Create("96", kvSharing: false, float32);
        // 270 MB of keys and values, of which nothing follows: 600 sequences, of one cached token each but the first.
        var bytes = Crafted(model, writer => Numbers([1000, 600, 1000, .. Enumerable.Repeat(1, 1000), 1000,
            .. Enumerable.Repeat<int[]>([1, 1, 1], 599).SelectMany(numbers => numbers)])(writer));
        Assert.IsGreaterThan(256L << 20, KvCache.SizeFor(model, 1000, 600));
        var before = Environment.WorkingSet;
        Assert.Contains("must follow", Assert.ThrowsExactly<InvalidDataException>(
            () => KvCache.Load(new MemoryStream(bytes), model)).Message);
        Assert.Contains("too early", Assert.ThrowsExactly<InvalidDataException>(
            () => KvCache.Load(new ForwardOnlyStream(bytes), model)).Message);
        Assert.IsLessThan(128L << 20, Environment.WorkingSet - before);
    }

    [TestMethod]
    [DataRow(null)]
    [DataRow(1000)]
    public void EmptySequencesTakeNoMemory(int? capacity)
    {
        using var model = SessionModels.Create("96", kvSharing: false, float32);
        // One of a thousand tokens, none of them cached, and as many empty ones as make 9 GB.
        var bytes = Crafted(model, writer => Numbers([1000, 20_000, 1000, .. Enumerable.Repeat(1, 1000), 0,
            .. Enumerable.Repeat(0, 2 * 19_999)])(writer), ending: true);
        foreach (var stream in (Stream[])[new MemoryStream(bytes), new ForwardOnlyStream(bytes)])
        {
            var error = Assert.ThrowsExactly<InvalidDataException>(() => KvCache.Load(stream, model, capacity));
            Assert.Contains("20000 sequences", error.Message);
        }
    }

    [TestMethod]
    public void BytesBehindTheEndAreRefusedWhereTheyCanBeSeen()
    {
        using var model = SessionModels.Create("4", kvSharing: false, float32);
        var bytes = Saved(model, [1, 2, 3]);
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => KvCache.Load(new MemoryStream([.. bytes, 0]), model));
        Assert.Contains("must follow", error.Message);
    }

    [TestMethod]
    public void OfAStreamThatGoesOnNoByteBehindTheCacheIsRead()
    {
        using var model = SessionModels.Create("4", kvSharing: false, float32);
        // As two processes send caches over one connection.
        using var stream = new ForwardOnlyStream([.. Saved(model, [1, 2, 3]), .. Saved(model, [4, 5]), 77]);
        using var first = KvCache.Load(stream, model);
        using var second = KvCache.Load(stream, model);
        CollectionAssert.AreEqual(new[] { 1, 2, 3 }, first.Tokens().ToArray());
        CollectionAssert.AreEqual(new[] { 4, 5 }, second.Tokens().ToArray());
        Assert.AreEqual(77, stream.ReadByte());
    }

    [TestMethod]
    [DataRow(8)]
    [DataRow(1100)]
    public void ASlowStreamGivesTheSameCacheWhateverItsCapacity(int capacity)
    {
        using var model = SessionModels.Create("4,4,2", kvSharing: false, bfloat16);
        var bytes = Saved(model, [1, 2, 3, 4, 5, 6, 7]);
        using var expected = KvCache.Load(new MemoryStream(bytes), model, capacity);
        using var read = KvCache.Load(new ForwardOnlyStream(bytes, piece: 7), model, capacity);
        for (var layer = 0; layer < model.Config.LayerCount; layer++)
        {
            for (var chain = 0; chain < model.Config.KeyValueChains; chain++)
            {
                Assert.IsTrue(expected.Keys(layer, chain).bytes.SequenceEqual(read.Keys(layer, chain).bytes));
                Assert.IsTrue(expected.Values(layer, chain).bytes.SequenceEqual(read.Values(layer, chain).bytes));
                Assert.AreEqual(7, read.CachedLength(0, chain));
            }
        }
    }

    [TestMethod]
    public void AStreamOfAnEarlierVersionIsRefusedByItsVersion()
    {
        using var model = SessionModels.Create("4", kvSharing: false, float32);
        var bytes = Saved(model, [1, 2, 3]);
        bytes[8] = 1;
        var error = Assert.ThrowsExactly<InvalidDataException>(() => KvCache.Load(new MemoryStream(bytes), model));
        Assert.Contains("version 1", error.Message);
        Assert.Contains("version 2", error.Message);
    }

    // What a caller asks for is no stranger's number.
    [TestMethod]
    public void ShortSequencesAreReadIntoAsLargeACacheAsIsAskedFor()
    {
        using var model = Estimators.TextModels.Random(
            Estimators.TextModels.Config(4) with { ContextLength = 1 << 18 });
        using var cache = new KvCache(model, capacity: 4, sequenceCount: 2);
        using (var session = DecodingSession.Create(model, cache, ownsCache: false, mayGrow: false))
        {
            session.Prefill(0, [1], 1);
            session.Prefill(1, [2], 1);
        }
        using var stream = new MemoryStream();
        cache.Save(stream, model);
        stream.Position = 0;
        const int Asked = 1 << 17;
        Assert.IsGreaterThan(Math.Max(64L << 20, 1024 * stream.Length), KvCache.SizeFor(model, Asked, 2));

        using var read = KvCache.Load(stream, model, Asked);
        Assert.AreEqual(Asked, read.Capacity);
        CollectionAssert.AreEqual(new[] { 2 }, read.Tokens(1).ToArray());
    }

    [TestMethod]
    [DataRow(true, float.NaN)]
    [DataRow(true, float.NegativeInfinity)]
    [DataRow(false, float.NaN)]
    [DataRow(false, float.PositiveInfinity)]
    public void KeysAndValuesThatAreNoNumbersAreRefused(bool isKey, float number)
    {
        using var model = SessionModels.Create("4", kvSharing: false, float32);
        var bytes = Saved(model, [1, 2, 3]);
        var begin = HeaderBegin + BitConverter.ToInt32(bytes, HeaderBegin - sizeof(int)) + SHA256.HashSizeInBytes;
        BitConverter.TryWriteBytes(bytes.AsSpan(isKey ? begin : bytes.Length - SHA256.HashSizeInBytes - sizeof(float)), number);
        SHA256.HashData(bytes.AsSpan(..^SHA256.HashSizeInBytes), bytes.AsSpan(^SHA256.HashSizeInBytes..));
        foreach (var stream in (Stream[])[new MemoryStream(bytes), new ForwardOnlyStream(bytes)])
        {
            var error = Assert.ThrowsExactly<InvalidDataException>(() => KvCache.Load(stream, model));
            Assert.Contains(isKey ? "keys of layer 1, chain 1, sequence 1" : "values of layer 3, chain 1, sequence 1", error.Message);
        }
    }

    [TestMethod]
    public void MoreSequencesThanACacheHasAreRefusedBeforeTheyAreListed()
    {
        using var model = SessionModels.Create("4", kvSharing: false, float32);
        var bytes = Crafted(model, Numbers([8, 2_000_000, .. new int[2 * 2_000_000]]), ending: true);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.ThrowsExactly<InvalidDataException>(() => KvCache.Load(new ForwardOnlyStream(bytes, 1 << 16), model));
        Assert.Contains("2000000 sequences, more than 1048576", error.Message);
        // A buffer that doubles.
        Assert.IsLessThan(4 * bytes.LongLength, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void AStreamThatSeeksWithoutALengthIsReadAsOneThatCannotSeek()
    {
        using var model = SessionModels.Create("4", kvSharing: false, float32);
        using var stream = new LengthlessStream(Saved(model, [1, 2, 3]));
        using var cache = KvCache.Load(stream, model);
        CollectionAssert.AreEqual(new[] { 1, 2, 3 }, cache.Tokens().ToArray());
    }

    [TestMethod]
    [DataRow(40_000_000)]
    [DataRow(int.MaxValue)]
    public void ASizeThatCannotBeHadIsRefusedByItsBytes(int sequenceCount)
    {
        using var model = SessionModels.Create("96", kvSharing: false, float32);
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.ThrowsExactly<InsufficientMemoryException>(() => new KvCache(model, 1000, sequenceCount));
        Assert.Contains($"{KvCache.SizeFor(model, 1000, sequenceCount)} bytes", error.Message);
        Assert.IsLessThan(1 << 20, GC.GetAllocatedBytesForCurrentThread() - allocated);
    }

    [TestMethod]
    public void ASizeThatCannotBeCountedIsRefused()
    {
        using var model = SessionModels.Create("4", kvSharing: false, float32);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => KvCache.SizeFor(model, int.MaxValue, int.MaxValue));
        // Two KV heads of 16 lanes, keys 4 wide and values padded to 16, in 3 layers.
        var positions = (int.MaxValue + 16L) / 16 * 16;
        Assert.AreEqual(positions * 2 * (4 + 16) * 3 * sizeof(float), KvCache.SizeFor(model, int.MaxValue));
        Assert.AreEqual(16L * int.MaxValue * 2 * (4 + 16) * 3 * sizeof(float), KvCache.SizeFor(model, 1, int.MaxValue));
    }

    private static Action<BinaryWriter> Numbers(params int[] numbers) => writer => Array.ForEach(numbers, writer.Write);

    /// <summary>A stream with a header of one's own, of the model's fingerprint, and nothing cached, or nothing at all, behind it.</summary>
    private static byte[] Crafted(CoLMModel model, Action<BinaryWriter> write, bool ending = false)
    {
        var saved = Saved(model, [1]);
        using var header = new MemoryStream();
        using var writer = new BinaryWriter(header);
        writer.Write(saved.AsSpan(HeaderBegin, SHA256.HashSizeInBytes));
        write(writer);
        writer.Flush();
        var bytes = header.ToArray();
        byte[] all = [.. saved[..(HeaderBegin - sizeof(int))], .. BitConverter.GetBytes(bytes.Length), .. bytes, .. SHA256.HashData(bytes)];
        return ending ? [.. all, .. SHA256.HashData(all)] : all;
    }

    private static byte[] Saved(CoLMModel model, int[] tokens)
    {
        using var cache = new KvCache(model, 48);
        using (var session = DecodingSession.Create(model, cache, ownsCache: false, mayGrow: false))
            session.Prefill(0, tokens, model.Config.Layout.ChainCount);
        using var stream = new MemoryStream();
        cache.Save(stream, model);
        return stream.ToArray();
    }

    private sealed class LengthlessStream(byte[] data) : MemoryStream(data)
    {
        public override long Length => throw new NotSupportedException();
    }
}
