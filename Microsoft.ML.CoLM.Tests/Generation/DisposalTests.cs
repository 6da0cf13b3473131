using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Generation;

/// <summary>Models and caches that are disposed while they are used: an error, never memory that is gone.</summary>
[TestClass, DoNotParallelize]
public sealed class DisposalTests
{
    // Float16 takes the session of the modules.
    public static IEnumerable<object[]> Types => [[float32], [bfloat16], [float16]];

    [TestMethod]
    [DynamicData(nameof(Types))]
    public void ACacheDisposedWhileItIsContinuedEndsThat(ScalarType dtype)
    {
        using var model = Model(dtype);
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        var cache = generator.Prefill("The cat");
        var error = Assert.ThrowsExactly<ObjectDisposedException>(
            () => generator.Continue(cache, At(step: 3, cache.Dispose)));
        Assert.Contains(nameof(KvCache), error.ObjectName);
        Assert.IsTrue(cache.Keys(0, 0).IsInvalid, "Its memory went with the last user.");
    }

    [TestMethod]
    public void ACacheIsContinuedByOneCallAtATimeAndNotReadMeanwhile()
    {
        using var model = Model(float32);
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        using var cache = generator.Prefill("The cat");
        Action[] others =
        [
            () => generator.Continue(cache, new()), () => cache.Clone(), () => cache.Trim(1),
            () => cache.Save(new MemoryStream(), model),
        ];
        List<string> messages = [];
        var options = At(step: 3, () => messages.AddRange(others.Select(
            other => Assert.ThrowsExactly<InvalidOperationException>(other).Message)));

        var text = generator.Continue(cache, options).Text;

        Assert.HasCount(others.Length, messages);
        Assert.IsTrue(messages.TrueForAll(message => message.Contains(nameof(KvCache), StringComparison.Ordinal)));
        Assert.AreEqual(generator.Generate("The cat", At(step: -1, static () => { })), text);
        using var copy = cache.Clone();
    }

    [TestMethod]
    [DynamicData(nameof(Types))]
    public void AModelIsNotConvertedWhileItIsUsed(ScalarType dtype)
    {
        using var model = Model(dtype);
        using var other = Model(dtype);
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        Action[] changes = [() => model.to(float64), () => model.to(META), () => model.ShareWeights(other)];
        var refused = 0;
        var options = At(step: 3, () => refused += changes.Count(change =>
            Assert.ThrowsExactly<InvalidOperationException>(change).Message.Contains(nameof(CoLMModel), StringComparison.Ordinal)));
        var text = generator.Generate("The cat", options);
        Assert.AreEqual(changes.Length, refused);
        Assert.AreEqual(text, generator.Generate("The cat", At(step: -1, static () => { })));
        model.to(dtype);
    }

    [TestMethod]
    [DynamicData(nameof(Types))]
    public void AModelDisposedWhileItGeneratesEndsThat(ScalarType dtype)
    {
        using var model = Model(dtype);
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        var weight = model.Norm.Weight(0);
        var error = Assert.ThrowsExactly<ObjectDisposedException>(
            () => generator.GenerateResult("The cat", At(step: 3, model.Dispose)));
        Assert.Contains(nameof(CoLMModel), error.ObjectName);
        Assert.IsTrue(weight.IsInvalid, "Its memory went with the last user.");
    }

    [TestMethod]
    [DynamicData(nameof(Types))]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void WhenItIsDisposedAtAnyMomentGenerationEndsWellOrSaysSo(ScalarType dtype)
    {
        var ended = 0;
        // A busy machine may let the users end before it disposes: then some rounds more.
        for (var round = 0; round < 8 || (ended == 0 && round < 200); round++)
        {
            var speculates = round % 2 == 0;
            var model = Model(dtype);
            var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
            var cache = generator.Prefill("The cat sat");
            using var start = new Barrier(3);
            var options = new GenerationOptions { MaxNewTokens = 24, SpeculativeDecoding = speculates };
            Task[] users =
            [
                Use(() => generator.GenerateResult("The cat", options)),
                Use(() => generator.Continue(cache, options)),
            ];
            start.SignalAndWait();
            Thread.SpinWait(40_000 * (round % 8));
            cache.Dispose();
            model.Dispose();
            Task.WaitAll(users);

            Task Use(Action generate) => Task.Factory.StartNew(() =>
            {
                start.SignalAndWait();
                try
                {
                    generate();
                }
                catch (ObjectDisposedException)
                {
                    Interlocked.Increment(ref ended);
                }
            }, TaskCreationOptions.LongRunning);
        }
        Assert.IsGreaterThan(0, ended, "Some were disposed before they were done.");
    }

    [TestMethod]
    public void ADisposedCacheIsNotUsed()
    {
        using var model = Model(float32);
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        var cache = generator.Prefill("The cat");
        cache.Dispose();
        cache.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => generator.Continue(cache, new()));
        Assert.ThrowsExactly<ObjectDisposedException>(() => cache.Save(new MemoryStream(), model));
        Assert.ThrowsExactly<ObjectDisposedException>(() => cache.Clone());
        Assert.ThrowsExactly<ObjectDisposedException>(() => cache.Trim(1));
    }

    [TestMethod]
    public void ADisposedModelHasNoCache()
    {
        var model = Model(float32);
        using var cache = new KvCache(model, 8);
        model.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => new KvCache(model, 8));
        Assert.ThrowsExactly<ObjectDisposedException>(() => KvCache.SizeFor(model, 8));
        Assert.ThrowsExactly<ObjectDisposedException>(() => cache.Save(new MemoryStream(), model));
        Assert.ThrowsExactly<ObjectDisposedException>(() => KvCache.Load(new MemoryStream(), model));
    }

    [TestMethod]
    public void ASessionThatCannotBeMadeKeepsNothingInUse()
    {
        using var model = Model(float32);
        var cache = new KvCache(model, 8);
        var weight = model.Norm.Weight(0);
        cache.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(
            () => DecodingSession.Create(model, cache, ownsCache: false, mayGrow: false));
        model.Dispose();
        Assert.IsTrue(weight.IsInvalid);
    }

    private static CoLMModel Model(ScalarType dtype) => Estimators.TextModels.Random(
        Estimators.TextModels.Config(4, 2) with { EosTokenIds = [] }, dtype: dtype);

    /// <summary>Options that do something before a step.</summary>
    private static GenerationOptions At(int step, Action action) => new()
    {
        MaxNewTokens = 20,
        ChainSchedule = now =>
        {
            if (now.GeneratedTokenCount == step)
                action();
            return 1;
        },
    };
}
