using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tests.Inference;
using Microsoft.ML.CoLM.Tests.Tokenizers;
using Microsoft.ML.CoLM.Tokenizers;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Generation;

[TestClass, DoNotParallelize]
public sealed class TextGeneratorTests
{
    [TestMethod]
    public void AtTemperatureZeroTheStoryModelWritesTheKnownText()
    {
        var folder = SharedData.Folder("data", "stories260K");
        using var model = CoLMModel.Load(folder);
        var generator = new TextGenerator(model, CoLMTokenizer.Load(folder), ForwardSession.Create);
        var story = generator.GenerateResult("", new() { MaxNewTokens = 200 });
        Assert.AreEqual(File.ReadAllText(Path.Combine(folder, "greedy-200.txt")), story.Text);
        Assert.AreEqual((FinishReason.Length, 1), (story.FinishReason, story.PromptTokenCount));
        Assert.HasCount(200, story.TokenIds);

        const string Beginning = "Once upon a time, there was a little girl named Lily. She loved to play";
        var continuation = generator.Generate(Beginning, new() { MaxNewTokens = 30 });
        Assert.StartsWith(Beginning + continuation, story.Text);
        Assert.StartsWith(" outside in the park.", continuation);
    }

    [TestMethod]
    public void AGeneratorTakesTheTokenizerThatCameWithTheModel()
    {
        using var folder = new Checkpoints.TemporaryFolder();
        using var model = Generators.EndlessModel(kvSharing: true, 4, 4);
        model.Save(folder.Path);
        using var loaded = CoLMModel.Load(folder.Path);
        using var grown = loaded.Expand([4], kvSharing: true);
        var options = new GenerationOptions { MaxNewTokens = 8 };
        var expected = new TextGenerator(model, CoLMTokenizer.Load(folder.Path)).Generate("The cat", options);
        foreach (var own in (CoLMModel[])[model, loaded, grown])
            Assert.AreEqual(expected, new TextGenerator(own).Generate("The cat", options));
    }

    [TestMethod]
    public void AModelWithoutATokenizerIsRefusedWithWhatToGive()
    {
        using var model = CoLMModel.Create(TextModels.Config(4), seed: 1);
        var error = Assert.ThrowsExactly<ArgumentException>(() => new TextGenerator(model));
        Assert.Contains("came without a tokenizer", error.Message);
        Assert.Contains("CoLMTokenizer.Load", error.Message);
        Assert.AreEqual("model", error.ParamName);
        Assert.ThrowsExactly<ArgumentNullException>(() => new TextGenerator(null!));
    }

    [TestMethod]
    public async Task OptionsThatAreLeftOutAreTheDefaults()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4);
        var generator = new TextGenerator(model);
        var expected = generator.Generate("The cat", new GenerationOptions());
        Assert.AreEqual(expected, generator.Generate("The cat"));
        Assert.AreEqual(expected, generator.GenerateResult("The cat").ToString());
        Assert.AreEqual(expected, generator.GenerateBatch(["The cat"])[0].Text);
        using var cache = generator.Prefill("The cat");
        Assert.AreEqual(expected, generator.Continue(cache).Text);
        var streamed = "";
        await foreach (var text in generator.GenerateStreamingAsync("The cat"))
            streamed += text;
        Assert.AreEqual(expected, streamed);
    }

    [TestMethod]
    public void GeneratingTextIsCancelled()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4);
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(
            () => new TextGenerator(model).Generate("The cat", cancellationToken: source.Token));
    }

    [TestMethod]
    public void APromptThatIsTakenLiterallyHasNoSpecialTokens()
    {
        const string Prompt = "The cat</s> sat <s>";
        using var model = CoLMModel.Load(SharedData.Folder("data", "stories260K"));
        var parsing = new TextGenerator(model, model.CreateTokenizer(), ForwardSession.Create);
        var plain = new TextGenerator(
            model, model.TokenizerFiles!.CreateTokenizer(parseSpecialTokens: false), ForwardSession.Create);
        var options = new GenerationOptions { MaxNewTokens = 12 };
        var literal = new GenerationOptions { MaxNewTokens = 12, ParseSpecialTokens = false };
        Generators.AreSame(plain.GenerateResult(Prompt, options), parsing.GenerateResult(Prompt, literal));
        Assert.IsGreaterThan(
            parsing.GenerateResult(Prompt, options).PromptTokenCount, parsing.GenerateResult(Prompt, literal).PromptTokenCount);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(3)]
    public void GreedyTokensAreTheModelsMostProbableOnesAtTheChainCount(int chainCount)
    {
        using var model = TextModels.Random(4, 2, 4);
        var generator = Generators.Create(model);
        var options = new GenerationOptions { MaxNewTokens = 12, ChainCount = chainCount };
        foreach (var prompt in Generators.Prompts)
        {
            var result = generator.GenerateResult(prompt, options);
            var tokens = TokenizerOf(model).EncodeDocument(prompt, model.Config.BosTokenId).ToList();
            Assert.AreEqual(tokens.Count, result.PromptTokenCount);
            foreach (var token in result.TokenIds)
            {
                Assert.AreEqual(MostProbable(model, tokens, chainCount), token);
                tokens.Add(token);
            }
            Assert.IsTrue(result.Statistics.ChainCounts.All(count => count == chainCount));
            Assert.HasCount(result.TokenIds.Count, result.Statistics.ChainCounts);
            Assert.AreEqual(result.Text, generator.Generate(prompt, options));
        }
    }

    [TestMethod]
    public void ThePromptIsPrefilledButForItsLastTokenAndEveryTokenIsOnePass()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 4);
        List<ForwardSession> sessions = [];
        var result = Generators.Create(model, sessions).GenerateResult("12345", new() { MaxNewTokens = 7 });
        CollectionAssert.AreEqual((int[])[5], sessions[0].Prefills);
        Assert.HasCount(7, sessions[0].Passes);
        Assert.IsTrue(sessions[0].IsDisposed);
        CollectionAssert.AreEqual((long[])[5 + 7, 0], result.Statistics.KeyValuesComputed.ToArray());
        Assert.AreEqual((7, 0, 1.0), (result.Statistics.FullPassCount, result.Statistics.DraftedTokenCount,
            result.Statistics.PassesPerToken));
        Assert.AreEqual(double.NaN, result.Statistics.AcceptanceRate);

        Generators.Create(model, sessions).GenerateResult("", new() { MaxNewTokens = 1 });
        Assert.IsEmpty(sessions[1].Prefills);
    }

    [TestMethod]
    public void GenerationEndsAtTheContext()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4);
        var generator = Generators.Create(model);
        var result = generator.GenerateResult(TextModels.Sentence(60), new() { MaxNewTokens = int.MaxValue });
        Assert.AreEqual((61, 3, FinishReason.Length),
            (result.PromptTokenCount, result.TokenIds.Count, result.FinishReason));
        result = generator.GenerateResult(TextModels.Sentence(63), new());
        Assert.AreEqual((64, 0, FinishReason.Length, ""),
            (result.PromptTokenCount, result.TokenIds.Count, result.FinishReason, result.Text));
    }

    [TestMethod]
    public void AnEndOfTextOrStopTokenEndsTheTextAndIsNotInIt()
    {
        using var endless = Generators.EndlessModel(kvSharing: true, 4, 4);
        var whole = Generators.Create(endless).GenerateResult("The cat", new() { MaxNewTokens = 20 });
        var token = whole.TokenIds.Last(token => whole.TokenIds.ToList().IndexOf(token) > 2);
        var length = whole.TokenIds.ToList().IndexOf(token) + 1;
        var text = TokenizerOf(endless).DecodeDocument(whole.TokenIds.Take(length - 1));

        var stopped = Generators.Create(endless).GenerateResult("The cat", new() { StopTokenIds = [token] });
        using var ending = TextModels.Random(endless.Config with { EosTokenIds = [token] });
        var ended = Generators.Create(ending).GenerateResult("The cat", new());
        var both = Generators.Create(ending).GenerateResult("The cat", new() { StopTokenIds = [token] });
        Assert.AreEqual((FinishReason.StopToken, FinishReason.EndOfText, FinishReason.EndOfText),
            (stopped.FinishReason, ended.FinishReason, both.FinishReason));
        foreach (var result in (GenerationResult[])[stopped, ended, both])
        {
            CollectionAssert.AreEqual(whole.TokenIds.Take(length).ToArray(), result.TokenIds.ToArray());
            Assert.AreEqual(text, result.Text);
        }
    }

    [TestMethod]
    public void AStopTextOverSeveralTokensEndsTheTextBeforeIt()
    {
        var folder = SharedData.Folder("data", "stories260K");
        using var model = CoLMModel.Load(folder);
        var generator = new TextGenerator(model, CoLMTokenizer.Load(folder), ForwardSession.Create);
        var options = new GenerationOptions { MaxNewTokens = 60, StopTexts = ["never", "ily. Sh", "park"] };
        var result = generator.GenerateResult("", options);
        Assert.AreEqual("Once upon a time, there was a little girl named L", result.Text);
        Assert.AreEqual(FinishReason.StopText, result.FinishReason);
        Assert.IsLessThan(30, result.TokenIds.Count);
        Assert.HasCount(result.TokenIds.Count, result.Statistics.ChainCounts);
    }

    [TestMethod]
    public void ASeedGivesTheSameTextAndAnotherSeedAnother()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 4);
        var generator = Generators.Create(model);
        string Text(int? seed) => generator.Generate("a", new() { Temperature = 1, MaxNewTokens = 20, Seed = seed });
        Assert.AreEqual(Text(1), Text(1));
        Assert.AreNotEqual(Text(1), Text(2));
        Assert.AreNotEqual(Text(null), Text(null));
    }

    [TestMethod]
    public void ARepetitionPenaltyMakesRepetitionsRare()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4);
        var generator = Generators.Create(model);
        int Distinct(double penalty) => generator.GenerateResult(
            "a", new() { MaxNewTokens = 40, RepetitionPenalty = penalty }).TokenIds.Distinct().Count();
        Assert.IsLessThan(40, Distinct(1));
        Assert.AreEqual(40, Distinct(1000));
    }

    [TestMethod]
    [DataRow(false, false)]
    [DataRow(false, true)]
    [DataRow(true, false)]
    [DataRow(true, true)]
    public void ASessionThatIsFilledAlreadyIsGoneOnFrom(bool kvSharing, bool speculative)
    {
        using var model = Generators.EndlessModel(kvSharing, 4, 2, 4);
        var generator = Generators.Create(model);
        var options = new GenerationOptions { MaxNewTokens = 10, SpeculativeDecoding = speculative };
        var expected = generator.GenerateResult("The cat", options);
        int[] prompt = TokenizerOf(model).EncodeDocument("The cat", model.Config.BosTokenId);
        foreach (var filled in (int[])[0, 1, prompt.Length - 1, prompt.Length])
        {
            using var session = new ForwardSession(model, 1, prompt.Length + 10, mayGrow: true);
            if (filled > 0)
                session.Prefill(0, prompt.AsSpan(0, filled), chainCount: 1);
            List<string> pieces = [];
            var result = generator.Resume(session, prompt, options, capacity: int.MaxValue, pieces.Add);
            Generators.AreSame(expected, result, $"{filled} tokens");
            Assert.AreEqual(expected.Text, string.Concat(pieces));
            Assert.IsFalse(session.IsDisposed);
            if (!speculative)
                Assert.AreEqual(Math.Max(0, prompt.Length - 1 - filled) + 10, result.Statistics.KeyValuesComputed[0]);
        }
    }

    [TestMethod]
    public void APromptLongerThanTheContextIsRefusedWithBothLengths()
    {
        using var model = TextModels.Random(4);
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => Generators.Create(model).Generate(TextModels.Sentence(64), new()));
        Assert.Contains("prompt has 65 tokens", error.Message);
        Assert.Contains("context of 64", error.Message);
        error = Assert.ThrowsExactly<ArgumentException>(
            () => Generators.Create(model).GenerateBatch(["a", TextModels.Sentence(64)], new()));
        Assert.Contains("prompts[1] has 65 tokens", error.Message);
    }

    [TestMethod]
    public void AnEmptyPromptNeedsABeginningOfText()
    {
        using var model = TextModels.Random(TextModels.Config(4) with { BosTokenId = null });
        var tokenizer = TestTokenizers.Json(json => json["post_processor"] = null).CreateTokenizer();
        var generator = new TextGenerator(model, tokenizer, ForwardSession.Create);
        var error = Assert.ThrowsExactly<ArgumentException>(() => generator.Generate("", new()));
        Assert.AreEqual("prompt", error.ParamName);
        error = Assert.ThrowsExactly<ArgumentException>(() => generator.GenerateBatch(["a", "b", ""], new()));
        Assert.AreEqual("prompts[2]", error.ParamName);
        Assert.AreEqual(1, generator.GenerateResult("a", new()).PromptTokenCount);
    }

    [TestMethod]
    public void TokensThatTheModelDoesNotKnowAreRefused()
    {
        using var model = TestModels.Random(TestModels.Config(4));
        var generator = new TextGenerator(
            model, ByteTokenizer.CreateFiles().CreateTokenizer(), ForwardSession.Create);
        var error = Assert.ThrowsExactly<ArgumentException>(() => generator.Generate("a", new()));
        Assert.Contains("97 is outside the vocabulary of 40", error.Message);
    }

    [TestMethod]
    public async Task WhatIsMissingOrDisposedIsNamedAtOnce()
    {
        var model = TextModels.Random(4);
        var tokenizer = TokenizerOf(model);
        Assert.ThrowsExactly<ArgumentNullException>(() => new TextGenerator(null!, tokenizer));
        Assert.ThrowsExactly<ArgumentNullException>(() => new TextGenerator(model, null!));
        var generator = Generators.Create(model);
        Assert.ThrowsExactly<ArgumentNullException>(() => generator.Generate(null!, new()));
        Assert.ThrowsExactly<ArgumentNullException>(() => generator.GenerateBatch(null!, new()));
        var error = Assert.ThrowsExactly<ArgumentNullException>(() => generator.GenerateBatch(["a", null!], new()));
        Assert.AreEqual("prompts[1]", error.ParamName);
        Assert.ThrowsExactly<ArgumentException>(() => generator.GenerateStreamingAsync("a", new() { TopK = 0 }));
        Assert.ThrowsExactly<ArgumentException>(() => generator.GenerateBatch([], new() { TopK = 0 }));

        var begun = generator.GenerateStreamingAsync("a", new());
        model.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => generator.Generate("a", new()));
        await Assert.ThrowsExactlyAsync<ObjectDisposedException>(async () =>
        {
            await foreach (var _ in begun)
            {
            }
        });
    }

    private static Microsoft.ML.Tokenizers.Tokenizer TokenizerOf(CoLMModel model) =>
        model.TokenizerFiles!.CreateTokenizer();

    private static int MostProbable(CoLMModel model, List<int> tokens, int chainCount)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var input = tensor(tokens.Select(id => (long)id).ToArray()).unsqueeze(0);
        return (int)model.forward(input, chainCount)[0, -1].argmax().item<long>();
    }
}
