using Microsoft.ML.CoLM.Tests.Inference;

namespace Microsoft.ML.CoLM.Tests.Generation;

[TestClass, DoNotParallelize]
public sealed class ChainScheduleTests
{
    // Chains of each token, one after another.
    private static readonly int[] Counts = [1, 1, 3, 2, 3, 1];

    private static readonly ChainSchedule Schedule = step => Counts[step.GeneratedTokenCount];

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void EveryTokenIsComputedAtItsOwnChainCount(bool kvSharing)
    {
        using var model = Generators.EndlessModel(kvSharing, 4, 2, 4);
        var generator = Generators.Create(model);
        var result = generator.GenerateResult("The cat", new() { MaxNewTokens = 6, ChainSchedule = Schedule });
        CollectionAssert.AreEqual(Counts, result.Statistics.ChainCounts.ToArray());

        // What is generated is what each chain count by itself gives after the tokens before.
        int[] tokens = [model.Config.BosTokenId!.Value, .. "The cat".Select(character => (int)character)];
        for (var i = 0; i < Counts.Length; i++)
        {
            using var session = new ForwardSession(model, 1, 64, mayGrow: false);
            var next = generator.Resume(
                session, [.. tokens, .. result.TokenIds.Take(i)], new() { MaxNewTokens = 1, ChainCount = Counts[i] },
                capacity: int.MaxValue);
            Assert.AreEqual(next.TokenIds[0], result.TokenIds[i]);
        }
    }

    [TestMethod]
    public void WithSharingNoKeyOrValueIsComputedAgain()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 2, 4);
        var result = Generators.Create(model).GenerateResult(
            "The cat", new() { MaxNewTokens = 6, ChainSchedule = Schedule });
        CollectionAssert.AreEqual((long[])[7 + 6, 0, 0], result.Statistics.KeyValuesComputed.ToArray());
    }

    [TestMethod]
    public void WithoutSharingWhatLaterChainsLackIsComputedWhenTheyAreUsed()
    {
        using var model = Generators.EndlessModel(kvSharing: false, 4, 2, 4);
        var generator = Generators.Create(model);
        var result = generator.GenerateResult("The cat", new() { MaxNewTokens = 6, ChainSchedule = Schedule });
        // At the last growth, before the fifth token, four rows stood behind the seven prefilled tokens; the fifth row
        // ran through three chains, and the sixth through one.
        CollectionAssert.AreEqual((long[])[13, 12, 12], result.Statistics.KeyValuesComputed.ToArray());
        result = generator.GenerateResult("The cat", new() { MaxNewTokens = 6, ChainSchedule = _ => 1 });
        CollectionAssert.AreEqual((long[])[13, 0, 0], result.Statistics.KeyValuesComputed.ToArray());
    }

    [TestMethod]
    public void TheScheduleIsToldThePositionAndHowClearTheLastTokenWas()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 4);
        foreach (var temperature in (double[])[0, 1])
        {
            List<ChainScheduleStep> steps = [];
            Generators.Create(model).GenerateResult("ab", new()
            {
                MaxNewTokens = 5,
                Temperature = temperature,
                Seed = 1,
                ChainSchedule = step =>
                {
                    steps.Add(step);
                    return 2;
                },
            });
            Assert.IsNull(steps[0].Entropy);
            Assert.IsNull(steps[0].Margin);
            CollectionAssert.AreEqual((int[])[3, 4, 5, 6, 7], steps.Select(step => step.Position).ToArray());
            CollectionAssert.AreEqual((int[])[0, 1, 2, 3, 4], steps.Select(step => step.GeneratedTokenCount).ToArray());
            Assert.IsTrue(steps.Skip(1).All(step =>
                step.Entropy is > 0 && step.Entropy < Math.Log(258) && step.Margin is > 0 and < 1));
            Assert.HasCount(4, steps.Skip(1).Select(step => step.Entropy).Distinct());
        }
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(3)]
    public void AChainCountThatTheModelDoesNotHaveIsRefused(int chainCount)
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 4);
        List<ForwardSession> sessions = [];
        var generator = Generators.Create(model, sessions);
        var error = Assert.ThrowsExactly<ArgumentException>(() => generator.Generate("ab", new()
        {
            ChainSchedule = step => step.GeneratedTokenCount < 2 ? 1 : chainCount,
        }));
        Assert.AreEqual("ChainSchedule", error.ParamName);
        Assert.Contains("between 1 and the model's 2 chains", error.Message);
        Assert.Contains($"found {chainCount} for position 5", error.Message);
        Assert.IsTrue(sessions[0].IsDisposed);
    }
}
