using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Inference;

/// <summary>What a cache holds, how large it is, and how it goes from one process to another.</summary>
[TestClass, DoNotParallelize]
public sealed class KvCacheTests
{
    public static IEnumerable<object[]> Models => SessionModels.All;

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void AStreamedCacheGoesOnToTheBit(string chains, bool kvSharing, ScalarType dtype)
    {
        using var model = SessionModels.Create(chains, kvSharing, dtype);
        var (tokens, all) = (SessionModels.Tokens(model, 40), model.Config.Layout.ChainCount);
        using var cache = Filled(model, tokens.AsSpan(0, 37), all);
        using var stream = new MemoryStream();
        cache.Save(stream, model);
        stream.Position = 0;
        using var read = KvCache.Load(stream, model, capacity: 50);
        Assert.AreEqual(50, read.Capacity);
        CollectionAssert.AreEqual(tokens[..37], read.Tokens().ToArray());
        CollectionAssert.AreEqual(Next(model, cache, tokens[37], all), Next(model, read, tokens[37], all));
    }

    [TestMethod]
    public void APrefillProcessNeedsTheFirstChainOnly()
    {
        using var whole = SessionModels.Create("4,4,2", kvSharing: true, float32);
        using var folder = new Checkpoints.TemporaryFolder();
        whole.Save(folder.Path);
        using var first = CoLMModel.Load(folder.Path, chainCount: 1);
        var tokens = SessionModels.Tokens(whole, 20);
        using var prefilled = Filled(first, tokens.AsSpan(0, 19), 1);
        using var stream = new MemoryStream();
        prefilled.Save(stream, first);

        stream.Position = 0;
        using var handed = KvCache.Load(stream, whole);
        using var own = Filled(whole, tokens.AsSpan(0, 19), 3);
        CollectionAssert.AreEqual(Next(whole, own, tokens[19], 3), Next(whole, handed, tokens[19], 3));
    }

    [TestMethod]
    public void AGrownModelGoesOnFromItsBasesCache()
    {
        using var model = SessionModels.Create("4", kvSharing: false, float32);
        using var grown = model.Expand([4], kvSharing: true, seed: 1);
        using var cache = Filled(model, [1, 2, 3], 1);
        using var stream = new MemoryStream();
        cache.Save(stream, model);
        stream.Position = 0;
        using var handed = KvCache.Load(stream, grown);
        Assert.AreEqual(3, handed.Length());
    }

    [TestMethod]
    public void ACacheOfAnotherModelIsRefused()
    {
        using var model = SessionModels.Create("4,4,2", kvSharing: true, float32);
        using var cache = Filled(model, [1, 2, 3], 1);
        using var stream = new MemoryStream();
        cache.Save(stream, model);
        using var other = TestModels.Random(model.Config, seed: 2);
        using var unshared = SessionModels.Create("4,4,2", kvSharing: false, float32);
        using var narrow = SessionModels.Create("4,4,2", kvSharing: true, bfloat16);
        foreach (var wrong in new[] { other, unshared, narrow })
        {
            stream.Position = 0;
            var error = Assert.ThrowsExactly<InvalidDataException>(() => KvCache.Load(stream, wrong));
            StringAssert.Contains(error.Message, "another model");
        }
    }

    [TestMethod]
    public void EveryTruncationIsRefused()
    {
        using var model = SessionModels.Create("4", kvSharing: false, float32);
        using var cache = Filled(model, [1, 2, 3], 1);
        using var stream = new MemoryStream();
        cache.Save(stream, model);
        var bytes = stream.ToArray();
        for (var length = 0; length < bytes.Length; length += 1 + bytes.Length / 60)
        {
            using var cut = new MemoryStream(bytes, 0, length);
            Assert.ThrowsExactly<InvalidDataException>(() => KvCache.Load(cut, model), $"{length} of {bytes.Length} bytes");
        }
    }

    [TestMethod]
    public void DamagedHeadersAndOtherVersionsAreRefused()
    {
        using var model = SessionModels.Create("4", kvSharing: false, float32);
        using var cache = Filled(model, [1, 2, 3], 1);
        using var stream = new MemoryStream();
        cache.Save(stream, model);
        foreach (var (position, message) in new[] { (0, "no KV cache"), (8, "version"), (15, "bytes"), (52, "damaged") })
        {
            var bytes = stream.ToArray();
            bytes[position] ^= 0x40;
            using var damaged = new MemoryStream(bytes);
            var error = Assert.ThrowsExactly<InvalidDataException>(() => KvCache.Load(damaged, model), $"byte {position}");
            StringAssert.Contains(error.Message, message);
        }
    }

    [TestMethod]
    public void ACapacityOutOfRangeIsRefused()
    {
        using var model = SessionModels.Create("4", kvSharing: false, float32);
        using var cache = Filled(model, [1, 2, 3], 1);
        using var stream = new MemoryStream();
        cache.Save(stream, model);
        stream.Position = 0;
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => KvCache.Load(stream, model, capacity: 2));
        stream.Position = 0;
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => KvCache.Load(stream, model, capacity: SessionModels.Context + 1));
        foreach (var capacity in new[] { 0, SessionModels.Context + 1 })
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new KvCache(model, capacity));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new KvCache(model, 1, sequenceCount: 0));
    }

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void TheSizeIsKnownBeforehand(string chains, bool kvSharing, ScalarType dtype)
    {
        using var model = SessionModels.Create(chains, kvSharing, dtype);
        using var cache = new KvCache(model, 33, sequenceCount: 2);
        var config = model.Config;
        long bytes = 0;
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            for (var chain = 0; chain < config.KeyValueChains; chain++)
                bytes += cache.Keys(layer, chain).bytes.Length + cache.Values(layer, chain).bytes.Length;
        }
        Assert.AreEqual(bytes, cache.SizeInBytes);
        Assert.AreEqual(bytes, KvCache.SizeFor(model, 33, sequenceCount: 2));
    }

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void ACacheThatGrowsHoldsWhatOneThatWasMadeLargeHolds(string chains, bool kvSharing, ScalarType dtype)
    {
        using var model = SessionModels.Create(chains, kvSharing, dtype);
        var (tokens, all) = (SessionModels.Tokens(model, 700), model.Config.Layout.ChainCount);
        using var large = new KvCache(model, SessionModels.Context, sequenceCount: 2);
        using var growing = KvCache.Growing(model, SessionModels.Context, sequenceCount: 2);
        Assert.IsLessThan(large.SizeInBytes / 2, growing.SizeInBytes);
        CollectionAssert.AreEqual(Logits(large), Logits(growing));
        Assert.IsInRange(700, 700 + 256, growing.Capacity);

        float[] Logits(KvCache cache)
        {
            using var session = DecodingSession.Create(model, cache, ownsCache: false, mayGrow: !kvSharing);
            // As rows, as chunks that do not fit, and, without sharing, from features that were kept.
            session.Prefill(0, tokens.AsSpan(0, 9), all);
            session.Prefill(1, tokens.AsSpan(9, 300), 1);
            session.Prefill(0, tokens.AsSpan(309, 380), all);
            session.Grow(1, all);
            for (var i = 0; i < 11; i++)
                session.Run([new(0, 389 + i, tokens[689 + i])], 0, new ChainRange(0, all));
            session.Prefill(0, tokens.AsSpan(0, 298), all);
            session.Run([new(0, 698, tokens[3]), new(1, 300, tokens[4])], 0, new ChainRange(0, all));
            return [.. session.Logits(0), .. session.Logits(1)];
        }
    }

    [TestMethod]
    public void ACloneGoesItsOwnWay()
    {
        using var model = SessionModels.Create("4,4,2", kvSharing: false, float32);
        using var cache = Filled(model, [1, 2, 3, 4], 3);
        var expected = Next(model, cache, 5, 3);
        cache.Trim(4);
        using var clone = cache.Clone();
        _ = Next(model, cache, 9, 3);
        Assert.AreEqual(5, cache.Length());
        Assert.AreEqual(4, clone.Length());
        CollectionAssert.AreEqual(expected, Next(model, clone, 5, 3));
    }

    [TestMethod]
    public void SequencesAndLengthsAreChecked()
    {
        using var model = SessionModels.Create("4", kvSharing: false, float32);
        using var cache = new KvCache(model, 8, sequenceCount: 2);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => cache.Length(2));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => cache.Tokens(-1));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => cache.Trim(1));
    }

    private static KvCache Filled(CoLMModel model, ReadOnlySpan<int> tokens, int chainCount)
    {
        var cache = new KvCache(model, 48);
        using var session = DecodingSession.Create(model, cache, ownsCache: false, mayGrow: false);
        session.Prefill(0, tokens, chainCount);
        return cache;
    }

    private static float[] Next(CoLMModel model, KvCache cache, int token, int chainCount)
    {
        using var session = DecodingSession.Create(model, cache, ownsCache: false, mayGrow: false);
        session.Run([new(0, cache.Length(), token)], 0, new ChainRange(0, chainCount));
        return session.Logits(0).ToArray();
    }

    [TestMethod]
    public void ACacheOfOtherKeysIsNotContinued()
    {
        var config = Estimators.TextModels.Config(4, 2) with { RopeScaling = new Llama3RopeScaling(8, 1, 4, 64) };
        using var model = Estimators.TextModels.Random(config);
        using var cache = Filled(model, [1, 2, 3], 2);
        CoLMConfig[] others =
        [
            config with { RopeTheta = 500_000 }, config with { RmsNormEpsilon = 1e-5 }, config with { RopeScaling = null },
            config with { RopeScaling = new Llama3RopeScaling(4, 1, 4, 64) }, config with { LayerCount = 3 },
            config with { RopeScaling = new Llama3RopeScaling(8, 1, 4, 32) }, config with { KvSharing = true },
            config with { KeyValueHeadCount = 4, Layout = new ChainLayout(4, 4) },
        ];
        foreach (var other in others)
        {
            using var wrong = Estimators.TextModels.Random(other);
            var generator = new TextGenerator(wrong, wrong.TokenizerFiles!.CreateTokenizer());
            Assert.Contains("found", Assert.ThrowsExactly<ArgumentException>(() => generator.Continue(cache, new())).Message);
        }
    }

    // "meta" is a device without memory, which every machine has.
    [TestMethod]
    public void ACacheOfAnotherDeviceIsNotContinued()
    {
        using var model = Estimators.TextModels.Random(4, 2);
        using var elsewhere = new CoLMModel(model.Config, META, ScalarType.Float32);
        using var cache = new KvCache(elsewhere, 8);
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        var error = Assert.ThrowsExactly<ArgumentException>(() => generator.Continue(cache, new()));
        Assert.Contains("device is meta", error.Message);
        Assert.Contains("cpu", error.Message);
    }

    [TestMethod]
    public void WeightsElsewhereAreNotReadInPlace()
    {
        using var model = Estimators.TextModels.Random(4, 2);
        using var cache = Filled(model, [1, 2, 3], 2);
        model.to(META);
        var error = Assert.ThrowsExactly<InvalidOperationException>(
            () => DecodingSession.Create(model, cache, ownsCache: false, mayGrow: false));
        Assert.Contains("must be on the CPU", error.Message);
    }
}
