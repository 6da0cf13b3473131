using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Generation;

/// <summary>A prompt that one generator reads and another one continues.</summary>
[TestClass, DoNotParallelize]
public sealed class PrefillTests
{
    private const string Text = "The cat";

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void WhatIsGeneratedFromAPromptsCacheIsWhatIsGeneratedFromThePrompt(bool kvSharing)
    {
        using var model = Generators.EndlessModel(kvSharing, 4, 2, 4);
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        var options = new GenerationOptions { MaxNewTokens = 12 };
        var expected = generator.GenerateResult(Text, options);
        using var cache = generator.Prefill(Text);
        Assert.AreEqual(1 + Text.Length, cache.Length());
        Generators.AreSame(expected, generator.Continue(cache, options));

        // It holds the text now, and goes on from there: the last token was chosen, but not run.
        Assert.AreEqual(1 + Text.Length + 12 - 1, cache.Length());
    }

    [TestMethod]
    public void WithSharingAFirstChainsCacheServesEveryChainCount()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 2, 4);
        using var folder = new Checkpoints.TemporaryFolder();
        model.Save(folder.Path, chainCount: 1);
        using var first = CoLMModel.Load(folder.Path);
        var tokenizer = model.TokenizerFiles!.CreateTokenizer();
        using var stream = new MemoryStream();
        using (var prefilled = new TextGenerator(first, tokenizer).Prefill(Text))
            prefilled.Save(stream, first);

        var generator = new TextGenerator(model, tokenizer);
        for (var chainCount = 1; chainCount <= 3; chainCount++)
        {
            stream.Position = 0;
            using var cache = KvCache.Load(stream, model);
            var options = new GenerationOptions { MaxNewTokens = 8, ChainCount = chainCount };
            Generators.AreSame(generator.GenerateResult(Text, options), generator.Continue(cache, options));
        }
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void WithoutACapacityTheCacheTakesWhatThePromptNeedsAndGrowsUpToTheContext(bool speculative)
    {
        const int Context = 1200;
        using var model = TextModels.Random(TextModels.Config(4, 4) with { ContextLength = Context, EosTokenIds = [] });
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        using var cache = generator.Prefill(Text);
        Assert.IsLessThanOrEqualTo(Context / 4, cache.Capacity);
        Assert.AreEqual(KvCache.SizeFor(model, cache.Capacity), cache.SizeInBytes);

        var options = new GenerationOptions { MaxNewTokens = 400, SpeculativeDecoding = speculative };
        Generators.AreSame(generator.GenerateResult(Text, options), generator.Continue(cache, options));
        Assert.IsInRange(cache.Length(), cache.Length() + Context / 4 + 16, cache.Capacity);

        var rest = generator.Continue(cache, new() { MaxNewTokens = 5000, SpeculativeDecoding = speculative });
        Assert.AreEqual(FinishReason.Length, rest.FinishReason);
        Assert.AreEqual(Context - 1, cache.Length());
        Assert.AreEqual(Context, cache.Capacity);
    }

    [TestMethod]
    public void ALongPromptWithoutACapacityHasLittleMoreRoomThanItNeeds()
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { ContextLength = 4096, EosTokenIds = [] });
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        using var cache = generator.Prefill(new string('a', 1500));
        Assert.IsInRange(1501, 1500 + 1500 / 4, cache.Capacity);
    }

    [TestMethod]
    public void AStreamedCacheGoesOnToTheContextOrToTheCapacityItWasMadeWith()
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { ContextLength = 600, EosTokenIds = [] });
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        foreach (var (capacity, most) in new (int?, int)[] { (null, 600), (500, 500) })
        {
            using var cache = generator.Prefill(Text, capacity);
            using var stream = new MemoryStream();
            cache.Save(stream, model);
            stream.Position = 0;
            using var read = KvCache.Load(stream, model);
            Assert.IsLessThan(300, read.Capacity);
            using var copy = read.Clone();
            foreach (var continued in new[] { read, copy })
            {
                _ = generator.Continue(continued, new() { MaxNewTokens = 5000 });
                Assert.AreEqual(most - 1, continued.Length());
            }
        }
    }

    [TestMethod]
    public void ItEndsWhereTheCacheIsFull()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 4);
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        foreach (var speculative in new[] { false, true })
        {
            using var cache = generator.Prefill(Text, capacity: 12);
            var result = generator.Continue(cache, new() { MaxNewTokens = 50, SpeculativeDecoding = speculative });
            Assert.HasCount(12 - 1 - Text.Length, result.TokenIds);
            Assert.AreEqual(FinishReason.Length, result.FinishReason);
        }
    }

    [TestMethod]
    public void WithoutSharingMoreChainsThanTheCacheHasAreRefused()
    {
        using var model = Generators.EndlessModel(kvSharing: false, 4, 4);
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        using var cache = generator.Prefill(Text, chainCount: 1);
        Assert.ThrowsExactly<InvalidOperationException>(() => generator.Continue(cache, new()));
        Assert.HasCount(5, generator.Continue(cache, new() { MaxNewTokens = 5, ChainCount = 1 }).TokenIds);
    }

    [TestMethod]
    public void WrongInputIsNamed()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 4);
        using var other = Generators.EndlessModel(kvSharing: false, 4, 4);
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        var tooLong = Assert.ThrowsExactly<ArgumentException>(() => generator.Prefill(Text, capacity: 5));
        StringAssert.Contains(tooLong.Message, "8 tokens, which is more than the capacity of 5");
        Assert.ThrowsExactly<ArgumentException>(() => generator.Prefill(TextModels.Sentence(model.Config.ContextLength)));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => generator.Prefill(Text, chainCount: 3));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => generator.Prefill(Text, capacity: 0));
        using var empty = new KvCache(model, 8);
        Assert.ThrowsExactly<ArgumentException>(() => generator.Continue(empty, new()));
        using var foreign = new KvCache(other, 8);
        Assert.ThrowsExactly<ArgumentException>(() => generator.Continue(foreign, new()));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => generator.Prefill(Text, cancellationToken: cancelled.Token));
    }
}
