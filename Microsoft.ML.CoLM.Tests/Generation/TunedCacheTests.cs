using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Generation;

/// <summary>
/// With KV sharing and a frozen first chain, a tuned model's keys and values are the original's: one prefill serves all.
/// </summary>
[TestClass, DoNotParallelize]
public sealed class TunedCacheTests
{
    private const string Text = "The cat sat on the mat";

    private readonly MLContext _mlContext = new(seed: 1);

    public static IEnumerable<object[]> Tunings { get; } =
        from isCompletion in new[] { true, false }
        from hasAdapters in new[] { true, false }
        select new object[] { isCompletion, hasAdapters };

    [TestMethod]
    [DynamicData(nameof(Tunings))]
    public void ATunedModelsCacheIsTheOriginalsToTheBit(bool isCompletion, bool hasAdapters)
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 2, 4);
        using var source = _mlContext.Scorer(model);
        using var tuned = Tune(source, isCompletion, hasAdapters);
        CollectionAssert.AreEqual(Cached(model), Cached(tuned.Model));
    }

    [TestMethod]
    [DynamicData(nameof(Tunings))]
    public void ATunedModelGoesOnFromTheOriginalsPrefill(bool isCompletion, bool hasAdapters)
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 2, 4);
        using var source = _mlContext.Scorer(model);
        using var tuned = Tune(source, isCompletion, hasAdapters);
        var (original, other) = (
            new TextGenerator(model, source.Tokenizer), new TextGenerator(tuned.Model, source.Tokenizer));
        foreach (var chainCount in (int[])[1, 2, 3])
        {
            var options = new GenerationOptions { MaxNewTokens = 12, ChainCount = chainCount };
            var expected = other.GenerateResult(Text, options);

            // In the same process, and through a stream.
            using var cache = original.Prefill(Text);
            using var stream = new MemoryStream();
            cache.Save(stream, model);
            stream.Position = 0;
            using var sent = KvCache.Load(stream, tuned.Model);
            Generators.AreSame(expected, other.Continue(cache, options), $"{chainCount} chains");
            Generators.AreSame(expected, other.Continue(sent, options), $"{chainCount} chains, streamed");
            Assert.AreEqual(chainCount == 1, expected.TokenIds.SequenceEqual(
                original.GenerateResult(Text, options).TokenIds), "Tuned chains, and those alone, write something else.");
        }
    }

    [TestMethod]
    public void AGrownModelGoesOnFromTheSmallerOnesPrefill()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4);
        using var grown = model.Expand([8, 4], kvSharing: true, seed: 1);
        using var cache = new TextGenerator(model).Prefill(Text);
        var generator = new TextGenerator(grown);
        foreach (var chainCount in (int[])[3, 1])
        {
            var options = new GenerationOptions { MaxNewTokens = 12, ChainCount = chainCount };
            using var copy = cache.Clone();
            Generators.AreSame(generator.GenerateResult(Text, options), generator.Continue(copy, options));
        }
    }

    [TestMethod]
    public void AModelWhoseFirstChainIsTunedRefusesTheOriginalsCache()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 4);
        using var source = _mlContext.Scorer(model);
        using var tuned = Tune(source, isCompletion: true, hasAdapters: false, frozenChains: 0);
        using var cache = new TextGenerator(model, source.Tokenizer).Prefill(Text);
        using var stream = new MemoryStream();
        cache.Save(stream, model);
        stream.Position = 0;
        Assert.Contains("another model",
            Assert.ThrowsExactly<InvalidDataException>(() => KvCache.Load(stream, tuned.Model)).Message);
    }

    private ElasticScoringTransformer Tune(
        ElasticScoringTransformer source, bool isCompletion, bool hasAdapters, int frozenChains = 1)
    {
        var options = Tuning.Steps(source, steps: 8);
        options.FrozenChains = frozenChains;
        options.Lora = hasAdapters ? new LoraOptions { Rank = 4 } : null;
        if (!isCompletion)
            return _mlContext.Tune(options);
        (options.Task, options.PromptColumnName, options.ResponseColumnName) = (TuningTask.Completion, "Text", "Class");
        return _mlContext.Tune(options, _mlContext.Labelled());
    }

    private static byte[] Cached(CoLMModel model)
    {
        using var cache = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer()).Prefill(Text);
        using var stream = new MemoryStream();
        cache.Save(stream, model);
        return stream.ToArray();
    }
}
