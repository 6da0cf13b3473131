using System.Text;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tests.Inference;

namespace Microsoft.ML.CoLM.Tests.Generation;

[TestClass, DoNotParallelize]
public sealed class StreamingTests
{
    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task ThePiecesConcatenateToTheTextAndNoneSplitsACharacter(bool speculative)
    {
        // The bytes that this model writes are characters of two to four bytes now and then, and otherwise none.
        using var model = Generators.DraftingModel(kvSharing: true, laterHeads: 3, seed: 1, [4, 4]);
        var generator = Generators.Create(model);
        for (var seed = 0; seed < 10; seed++)
        {
            var options = new GenerationOptions
            {
                Temperature = 3,
                Seed = seed,
                MaxNewTokens = 50,
                SpeculativeDecoding = speculative,
                StopTexts = ["q", "xy"],
            };
            var text = generator.Generate("a", options);
            var pieces = await Collect(generator.GenerateStreamingAsync("a", options));
            Assert.AreEqual(text, string.Concat(pieces));
            foreach (var piece in pieces)
            {
                Assert.IsNotEmpty(piece);
                Assert.AreEqual(piece, Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(piece)));
            }
        }
    }

    [TestMethod]
    public async Task TextComesBeforeTheLastTokenIsComputed()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4);
        using var goOn = new SemaphoreSlim(1 + 5);
        var generator = Blocking(model, () => goOn.Wait());
        await using var pieces = generator.GenerateStreamingAsync("ab", new()
        {
            Temperature = 1,
            Seed = 1,
            TopK = 3,
            MaxNewTokens = 20,
        }).GetAsyncEnumerator();
        Assert.IsTrue(await pieces.MoveNextAsync());
        goOn.Release(100);
    }

    [TestMethod]
    public async Task CancellingEndsGenerationBeforeTheNextPass()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 4);
        foreach (var (speculative, passes) in ((bool, int)[])[(false, 1), (false, 4), (true, 1), (true, 4)])
        {
            using var cancellation = new CancellationTokenSource();
            var count = 0;
            var generator = Blocking(model, () =>
            {
                if (++count == passes)
                    cancellation.Cancel();
            });
            var options = new GenerationOptions { SpeculativeDecoding = speculative };
            await Assert.ThrowsAsync<OperationCanceledException>(
                () => Collect(generator.GenerateStreamingAsync("abc", options, cancellation.Token)));
            // A pass of the first chain is followed by its verification at most.
            Assert.IsLessThanOrEqualTo(passes + (speculative ? 1 : 0), count);

            using var late = new CancellationTokenSource();
            count = 0;
            generator = Blocking(model, () =>
            {
                if (++count == passes)
                    late.Cancel();
            });
            Assert.Throws<OperationCanceledException>(() => generator.GenerateResult("abc", options, late.Token));
            await Assert.ThrowsAsync<OperationCanceledException>(async () =>
            {
                await foreach (var _ in generator.GenerateStreamingAsync("abc", options).WithCancellation(late.Token))
                {
                }
            });
        }
    }

    [TestMethod]
    public async Task LeavingTheEnumerationEndsGeneration()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4);
        List<ForwardSession> sessions = [];
        using var goOn = new SemaphoreSlim(8);
        var generator = Blocking(model, () => goOn.Wait(), sessions);
        var options = new GenerationOptions { Temperature = 1, Seed = 1, TopK = 3, MaxNewTokens = 60 };
        Task? later = null;
        await foreach (var piece in generator.GenerateStreamingAsync("ab", options))
        {
            Assert.IsNotEmpty(piece);
            later = Task.Delay(50).ContinueWith(_ => goOn.Release(1000), TaskScheduler.Default);
            break;
        }
        await later!;
        Assert.IsTrue(sessions[0].IsDisposed);
        Assert.IsLessThan(60, sessions[0].Passes.Count);
    }

    [TestMethod]
    public async Task WhatFailsDuringGenerationFailsTheEnumeration()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4);
        var generator = Generators.Create(model);
        await Assert.ThrowsExactlyAsync<ArgumentException>(
            () => Collect(generator.GenerateStreamingAsync("ab", new() { ChainSchedule = _ => 7 })));
        await Assert.ThrowsExactlyAsync<TimeZoneNotFoundException>(
            () => Collect(Blocking(model, () => throw new TimeZoneNotFoundException())
                .GenerateStreamingAsync("ab", new())));
    }

    [TestMethod]
    public async Task AnEnumerationThatIsRepeatedGeneratesAnew()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4);
        var pieces = Generators.Create(model).GenerateStreamingAsync("ab", new() { MaxNewTokens = 5 });
        CollectionAssert.AreEqual(await Collect(pieces), await Collect(pieces));
    }

    [TestMethod]
    public async Task SeveralThreadsMayGenerateAtOnce()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 4);
        var generator = Generators.Create(model);
        var options = new GenerationOptions { MaxNewTokens = 15 };
        var expected = Generators.Prompts.Select(prompt => generator.Generate(prompt, options)).ToArray();
        var pieces = await Task.WhenAll(
            Generators.Prompts.Select(prompt => Collect(generator.GenerateStreamingAsync(prompt, options))));
        CollectionAssert.AreEqual(expected, pieces.Select(texts => string.Concat(texts)).ToArray());
    }

    private static TextGenerator Blocking(CoLMModel model, Action onPass, List<ForwardSession>? sessions = null) => new(
        model, model.TokenizerFiles!.CreateTokenizer(), (model, sequenceCount, capacity, mayGrow) =>
        {
            var session = new ForwardSession(model, sequenceCount, capacity, mayGrow) { OnPass = onPass };
            sessions?.Add(session);
            return session;
        });

    private static async Task<List<string>> Collect(IAsyncEnumerable<string> pieces)
    {
        List<string> collected = [];
        await foreach (var piece in pieces)
            collected.Add(piece);
        return collected;
    }
}
