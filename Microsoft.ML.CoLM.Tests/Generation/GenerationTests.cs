using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Generation;

/// <summary>Text generation on the sessions that users get.</summary>
[TestClass, DoNotParallelize]
public sealed class GenerationTests
{
    [TestMethod]
    public void TheStoryModelWritesTheKnownText()
    {
        var folder = SharedData.Folder("data", "stories260K");
        using var model = CoLMModel.Load(folder);
        var generator = new TextGenerator(model, CoLMTokenizer.Load(folder));
        Assert.AreEqual(
            File.ReadAllText(Path.Combine(folder, "greedy-200.txt")),
            generator.Generate("", new() { MaxNewTokens = 200 }));
    }

    [TestMethod]
    [DataRow(true, ScalarType.Float32)]
    [DataRow(false, ScalarType.Float32)]
    [DataRow(true, ScalarType.BFloat16)]
    public void PromptsTogetherAndWithDraftsGiveTheTextsOfEachAlone(bool kvSharing, ScalarType dtype)
    {
        using var drafting = Generators.DraftingModel(kvSharing, laterHeads: 2, seed: 1, [4, 2, 4]);
        using var model = (CoLMModel)drafting.to(dtype);
        var generator = new TextGenerator(model, drafting.TokenizerFiles!.CreateTokenizer());
        var options = new GenerationOptions { MaxNewTokens = 25, RepetitionPenalty = 1.05 };
        var alone = Generators.Prompts.Select(prompt => generator.GenerateResult(prompt, options)).ToArray();
        var together = generator.GenerateBatch(Generators.Prompts, options);
        options.SpeculativeDecoding = true;
        var drafted = generator.GenerateBatch(Generators.Prompts, options);
        for (var i = 0; i < alone.Length; i++)
        {
            Generators.AreSame(alone[i], together[i], $"prompt {i}");
            Generators.AreSame(alone[i], drafted[i], $"prompt {i} with drafts");
        }
        Assert.IsGreaterThan(20, drafted.Sum(result => result.Statistics.AcceptedTokenCount));
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void SchedulesGiveWhatTheWholeModelGives(bool kvSharing)
    {
        using var model = Generators.EndlessModel(kvSharing, 4, 2, 4);
        var options = new GenerationOptions
        {
            MaxNewTokens = 20,
            ChainSchedule = step => 1 + step.Position * 7 % 5 % 3,
        };
        var expected = Generators.Create(model).GenerateBatch(Generators.Prompts, options);
        var actual = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer())
            .GenerateBatch(Generators.Prompts, options);
        for (var i = 0; i < expected.Count; i++)
            Generators.AreSame(expected[i], actual[i], $"prompt {i}");
        CollectionAssert.AreEqual(
            expected[0].Statistics.KeyValuesComputed.ToArray(), actual[0].Statistics.KeyValuesComputed.ToArray());
    }

    [TestMethod]
    [DataRow(true, 1)]
    [DataRow(false, 3)]
    public void ACacheThatWasFilledBeforeIsGoneOnFrom(bool kvSharing, int filledChains)
    {
        using var model = Generators.EndlessModel(kvSharing, 4, 2, 4);
        var tokenizer = model.TokenizerFiles!.CreateTokenizer();
        var generator = new TextGenerator(model, tokenizer);
        var prompt = tokenizer.EncodeDocument("The cat", model.Config.BosTokenId);
        foreach (var speculative in (bool[])[false, true])
        {
            var options = new GenerationOptions { MaxNewTokens = 15, SpeculativeDecoding = speculative };
            using var cache = new KvCache(model, capacity: 64);
            using (var prefill = DecodingSession.Create(model, cache, ownsCache: false, mayGrow: false))
                prefill.Prefill(0, prompt, filledChains);
            using var session = DecodingSession.Create(model, cache, ownsCache: false, mayGrow: false);
            var result = generator.Resume(session, cache.Tokens().ToArray(), options, cache.Capacity);
            Generators.AreSame(generator.GenerateResult("The cat", options), result);
            if (!speculative)
                Assert.AreEqual(15, result.Statistics.KeyValuesComputed[0]);
        }
    }

    [TestMethod]
    public async Task StreamingLeavesNothingBehind()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 4);
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        var options = new GenerationOptions { MaxNewTokens = 20 };
        var text = generator.Generate("a", options);
        var before = LiveTensors.CountSettled();
        List<string> pieces = [];
        await foreach (var piece in generator.GenerateStreamingAsync("a", options))
            pieces.Add(piece);
        await foreach (var _ in generator.GenerateStreamingAsync("a", options))
            break;
        Assert.AreEqual(text, string.Concat(pieces));
        Assert.AreEqual(before, LiveTensors.CountSettled());
    }
}
