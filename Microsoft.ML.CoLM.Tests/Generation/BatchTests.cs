using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tests.Inference;

namespace Microsoft.ML.CoLM.Tests.Generation;

[TestClass, DoNotParallelize]
public sealed class BatchTests
{
    [TestMethod]
    [DataRow(true, 16)]
    [DataRow(true, 2)]
    [DataRow(false, 16)]
    public void EveryPromptIsContinuedAsItIsAlone(bool kvSharing, int slotCount)
    {
        using var model = Generators.EndlessModel(kvSharing, 4, 4);
        List<ForwardSession> sessions = [];
        var generator = Generators.Create(model, sessions, slotCount);
        var first = generator.GenerateResult(Generators.Prompts[0], new() { MaxNewTokens = 20 });
        // Some prompts end early, some where the context does.
        var options = new GenerationOptions { MaxNewTokens = 30, StopTokenIds = [first.TokenIds[5]] };
        sessions.Clear();
        var batch = generator.GenerateBatch(Generators.Prompts, options);
        Assert.HasCount(1, sessions);
        Assert.HasCount(Generators.Prompts.Length, batch);
        Assert.IsTrue(batch.Any(result => result.FinishReason == FinishReason.StopToken));
        Assert.IsTrue(batch.Any(result => result.FinishReason == FinishReason.Length));
        for (var i = 0; i < batch.Count; i++)
            Generators.AreSame(generator.GenerateResult(Generators.Prompts[i], options), batch[i], $"prompt {i}");

        Assert.AreEqual(batch.Sum(result => result.TokenIds.Count), sessions[0].Passes.Sum(pass => pass.Rows.Length));
        Assert.AreEqual(
            Math.Min(slotCount, Generators.Prompts.Length), sessions[0].Passes.Max(pass => pass.Rows.Length));
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void SixteenAreGeneratedAtATimeAndOthersFollowInTheirPlaces(bool kvSharing)
    {
        using var model = Generators.EndlessModel(kvSharing, 4, 4);
        List<ForwardSession> sessions = [];
        var generator = Generators.Create(model, sessions);
        // Of different lengths, so that places become free at different times; the longest leaves no room for a token.
        string[] prompts = [.. Enumerable.Range(0, 40).Select(i => TextModels.Sentence(1 + i * 7 % 30)),
            TextModels.Sentence(model.Config.ContextLength - 1)];
        var first = generator.GenerateResult(prompts[0], new() { MaxNewTokens = 20 });
        var options = new GenerationOptions { MaxNewTokens = 9, StopTokenIds = [first.TokenIds[2]] };
        sessions.Clear();
        var batch = generator.GenerateBatch(prompts, options);
        Assert.HasCount(1, sessions);
        Assert.AreEqual(15, sessions[0].Passes.Max(pass => pass.Rows.Max(row => row.Sequence)));
        Assert.AreEqual(prompts.Length - 1, sessions[0].Prefills.Count);
        for (var i = 0; i < prompts.Length; i++)
            Generators.AreSame(generator.GenerateResult(prompts[i], options), batch[i], $"prompt {i}");
    }

    [TestMethod]
    public void ABatchIsCancelledBetweenItsPrompts()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4);
        using var cancellation = new CancellationTokenSource();
        var (steps, prompts) = (0, 0);
        var options = new GenerationOptions
        {
            MaxNewTokens = 3,
            ChainSchedule = step =>
            {
                prompts += step.GeneratedTokenCount == 0 ? 1 : 0;
                if (++steps == 20)
                    cancellation.Cancel();
                return 1;
            },
        };
        Assert.Throws<OperationCanceledException>(() => Generators.Create(model)
            .GenerateBatch([.. Enumerable.Repeat("a", 100)], options, cancellation.Token));
        Assert.IsLessThan(20, prompts);
    }

    [TestMethod]
    public void PromptIDrawsAsAloneWithASeedIHigher()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 4);
        var generator = Generators.Create(model);
        foreach (var speculative in (bool[])[false, true])
        {
            GenerationOptions Options(int seed) => new()
            {
                Temperature = 1,
                MaxNewTokens = 8,
                Seed = seed,
                SpeculativeDecoding = speculative,
            };
            var batch = generator.GenerateBatch(["a", "a", "a"], Options(int.MaxValue));
            for (var i = 0; i < batch.Count; i++)
                Generators.AreSame(generator.GenerateResult("a", Options(unchecked(int.MaxValue + i))), batch[i]);
            Assert.AreNotEqual(batch[0].Text, batch[1].Text);
        }
    }

    [TestMethod]
    public void PromptsWithSchedulesOfTheirOwnAreContinuedAsAlone()
    {
        using var model = Generators.EndlessModel(kvSharing: false, 4, 2, 4);
        List<ForwardSession> sessions = [];
        var generator = Generators.Create(model, sessions);
        var options = new GenerationOptions
        {
            MaxNewTokens = 15,
            ChainSchedule = step => 1 + (step.Position * 7 + (int)(100 * (step.Margin ?? 0))) % 3,
        };
        var batch = generator.GenerateBatch(Generators.Prompts, options);
        for (var i = 0; i < batch.Count; i++)
        {
            var alone = generator.GenerateResult(Generators.Prompts[i], options);
            Generators.AreSame(alone, batch[i], $"prompt {i}");
            CollectionAssert.AreEqual(
                alone.Statistics.ChainCounts.ToArray(), batch[i].Statistics.ChainCounts.ToArray());
        }
    }

    [TestMethod]
    public void NoPromptsHaveNoContinuations()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4);
        Assert.IsEmpty(Generators.Create(model).GenerateBatch([], new()));
    }

    [TestMethod]
    public void ACancelledBatchEnds()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4);
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();
        Assert.Throws<OperationCanceledException>(
            () => Generators.Create(model).GenerateBatch(["a", "b"], new(), cancellation.Token));
    }
}
