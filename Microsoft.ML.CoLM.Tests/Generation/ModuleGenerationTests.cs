using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Generation;

/// <summary>Text generation on the session for every device.</summary>
[TestClass, DoNotParallelize]
public sealed class ModuleGenerationTests
{
    [TestMethod]
    public void TheStoryModelWritesTheKnownText()
    {
        var folder = SharedData.Folder("data", "stories260K");
        using var model = CoLMModel.Load(folder);
        Assert.AreEqual(
            File.ReadAllText(Path.Combine(folder, "greedy-200.txt")), Create(model).Generate("", new() { MaxNewTokens = 200 }));
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void TextsAreThoseOfTheCpusSession(bool kvSharing)
    {
        using var model = Generators.DraftingModel(kvSharing, laterHeads: 2, seed: 1, [4, 2, 4]);
        var own = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        GenerationOptions[] all =
        [
            new(), new() { ChainCount = 1 }, new() { SpeculativeDecoding = true }, new() { RepetitionPenalty = 1.05 },
            new() { RepetitionPenalty = 1.05, SpeculativeDecoding = true },
            new() { ChainSchedule = step => 1 + step.Position * 7 % 5 % 3 },
            new() { Temperature = 0.8, TopK = 10, TopP = 0.9, Seed = 5 },
            // So few that they are found where the logits are.
            new() { Temperature = 0.8, TopK = 3, TopP = 0.95, Seed = 5 },
            new() { Temperature = 1.2, TopK = 3, Seed = 5, SpeculativeDecoding = true },
            new() { Temperature = 1.2, TopK = 3, Seed = 5, RepetitionPenalty = 1.1 },
            new() { Temperature = 0.8, Seed = 5, SpeculativeDecoding = true },
        ];
        // More prompts than sequences, whose places others take, and which end at different times.
        string[] prompts = [.. Enumerable.Range(0, 4).SelectMany(i => Generators.Prompts.Select(prompt => prompt + new string('a', i)))];
        for (var i = 0; i < all.Length; i++)
        {
            all[i].MaxNewTokens = 25;
            all[i].StopTexts = ["e"];
            var (expected, actual) = (own.GenerateBatch(prompts, all[i]), Create(model).GenerateBatch(prompts, all[i]));
            for (var prompt = 0; prompt < prompts.Length; prompt++)
                Generators.AreSame(expected[prompt], actual[prompt], $"options {i}, prompt {prompt}");
        }
    }

    [TestMethod]
    [DataRow(0, false)]
    [DataRow(0, true)]
    [DataRow(1, false)]
    [DataRow(1, true)]
    public void LogitsThatAreNoNumbersAreAnError(double temperature, bool speculative)
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 2);
        using (TorchSharp.torch.no_grad())
        {
            foreach (var (_, parameter) in model.named_parameters())
                parameter.fill_(float.NaN);
        }
        var error = Assert.ThrowsExactly<InvalidOperationException>(
            () => Create(model).Generate("The cat", new() { Temperature = temperature, TopK = 3, SpeculativeDecoding = speculative }));
        Assert.Contains("NaN", error.Message);
    }

    [TestMethod]
    public void SeveralThreadsRunTheScriptAtOnce()
    {
        using var model = Generators.EndlessModel(kvSharing: false, 4, 2);
        var options = new GenerationOptions { MaxNewTokens = 30 };
        var expected = Generators.Prompts.Select(prompt => Create(model).GenerateResult(prompt, options)).ToArray();
        Parallel.For(0, 40, new() { MaxDegreeOfParallelism = 4 }, i =>
        {
            var prompt = i % expected.Length;
            Generators.AreSame(expected[prompt], Create(model).GenerateResult(Generators.Prompts[prompt], options), $"prompt {prompt}");
        });
    }

    private static TextGenerator Create(CoLMModel model) => new(model, model.TokenizerFiles!.CreateTokenizer(),
        (given, sequenceCount, capacity, mayGrow) => DecodingSession.Create(
            given, new KvCache(given, capacity, sequenceCount, isBlocked: false), ownsCache: true, mayGrow));
}
