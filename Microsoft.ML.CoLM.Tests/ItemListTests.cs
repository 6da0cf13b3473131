using Microsoft.ML.CoLM.Tests.Generation;

namespace Microsoft.ML.CoLM.Tests;

/// <summary>Lists of results print what they hold, in every culture alike, and nobody changes them.</summary>
[TestClass, DoNotParallelize]
public sealed class ItemListTests
{
    [TestMethod]
    public void ListsOfResultsPrintTheirItems()
    {
        Assert.AreEqual("[32, 8]", $"{new ChainLayout(32, 8).Heads}");
        Assert.IsNotInstanceOfType<int[]>(new ChainLayout(32, 8).Heads);
        using var model = Generators.EndlessModel(kvSharing: true, 4, 4);
        Assert.AreEqual("[]", $"{model.EndTokenIds}");
        Assert.AreEqual("[]", $"{model.Warnings}");
        model.Warnings = ["one", "another"];
        Assert.AreEqual("[one, another]", $"{model.Warnings}");
        using var cache = new TextGenerator(model).Prefill("ab");
        Assert.AreEqual($"[{string.Join(", ", cache.Tokens())}]", $"{cache.Tokens()}");
        var result = new TextGenerator(model).GenerateResult("ab", new() { MaxNewTokens = 3, ChainCount = 2 });
        Assert.AreEqual($"[{string.Join(", ", result.TokenIds)}]", $"{result.TokenIds}");
        Assert.AreEqual("3 tokens in 3 full passes, 0 of 0 drafted tokens accepted, chains of the tokens [2, 2, 2], " +
            "keys and values computed a chain [5, 0]", $"{result.Statistics}");
    }

    [TestMethod]
    public void TrainingsPrintTheirNumbers()
    {
        var progress = new TrainingProgress
        {
            Step = 3,
            TotalSteps = 30,
            Loss = 2.5,
            LearningRate = 1e-3,
            TokensPerSecond = 1234.4,
            TimeLeft = TimeSpan.FromSeconds(61.4),
            ValidationLosses = [2.25, 2],
        };
        Assert.AreEqual("[2.25, 2]", $"{progress.ValidationLosses}");
        Assert.AreEqual("[]", $"{progress.ValidationMetrics}");
        Assert.AreEqual("Step 3 of 30: loss 2.5000, learning rate 0.001, 1234 tokens/s, 00:01:01 left, " +
            "validation losses 2.2500, 2.0000", $"{progress}");
        Assert.AreEqual("7 steps, cancelled, weights of step 5: loss 2.5000, 0 tokens/s, 1,000 parameters trained",
            $"{new TrainingSummary { Steps = 7, Cancelled = true, ModelStep = 5, Loss = 2.5, TrainedParameterCount = 1000 }}");
    }
}
