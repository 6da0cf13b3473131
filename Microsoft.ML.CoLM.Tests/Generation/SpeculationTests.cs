using System.Collections.Concurrent;
using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Tests.Inference;
using Microsoft.ML.CoLM.Tokenizers;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Generation;

[TestClass, DoNotParallelize]
public sealed class SpeculationTests
{
    [TestMethod]
    [DataRow(true, 1.0)]
    [DataRow(true, 1.3)]
    [DataRow(false, 1.0)]
    [DataRow(false, 1.3)]
    public void GreedyTextIsThatOfPlainDecoding(bool kvSharing, double penalty)
    {
        var (drafted, accepted) = (0, 0);
        for (var seed = 1; seed <= 3; seed++)
        {
            using var model = Generators.DraftingModel(kvSharing, 2 * seed, seed, [4, 2, 4]);
            var generator = Generators.Create(model, slotCount: 3 + seed);
            var options = new GenerationOptions
            {
                MaxNewTokens = 25,
                ChainCount = seed == 2 ? 2 : null,
                RepetitionPenalty = penalty,
                MaxDraftTokens = 1 + seed,
            };
            var plain = generator.GenerateBatch(Generators.Prompts, options);
            options.SpeculativeDecoding = true;
            var speculative = generator.GenerateBatch(Generators.Prompts, options);
            for (var i = 0; i < plain.Count; i++)
            {
                Generators.AreSame(plain[i], speculative[i], $"seed {seed}, prompt {i}");
                drafted += speculative[i].Statistics.DraftedTokenCount;
                accepted += speculative[i].Statistics.AcceptedTokenCount;
            }
        }
        Assert.IsGreaterThan(100, drafted);
        Assert.IsTrue(accepted > 20 && accepted < drafted, $"{accepted} of {drafted}");
    }

    [TestMethod]
    public void GreedyTextEndsAsThatOfPlainDecodingDoes()
    {
        using var model = Generators.DraftingModel(kvSharing: true, laterHeads: 3, seed: 1, [4, 4]);
        var generator = Generators.Create(model);
        var whole = generator.GenerateResult("a", new() { MaxNewTokens = 30 });
        GenerationOptions[] all =
        [
            .. whole.TokenIds.Distinct().Select(token => new GenerationOptions { StopTokenIds = [token] }),
            .. Enumerable.Range(1, 12).Select(length => new GenerationOptions { MaxNewTokens = length }),
            .. whole.Text.Distinct().Where(character => !char.IsSurrogate(character))
                .Select(character => new GenerationOptions { StopTexts = [$"{character}"] }),
        ];
        foreach (var options in all)
        {
            var plain = generator.GenerateResult("a", options);
            options.SpeculativeDecoding = true;
            Generators.AreSame(plain, generator.GenerateResult("a", options));
        }
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void WhereTheFirstChainIsAlwaysRightFewPassesAreNeeded(bool kvSharing)
    {
        using var model = Generators.DraftingModel(kvSharing, laterHeads: 0, seed: 1, [4, 4, 4], firstHead: 1000);
        List<ForwardSession> sessions = [];
        var options = new GenerationOptions { MaxNewTokens = 36, MaxDraftTokens = 8, SpeculativeDecoding = true };
        var result = Generators.Create(model, sessions).GenerateResult("ab", options);
        var statistics = result.Statistics;
        Assert.AreEqual(1, statistics.AcceptanceRate);
        // Of 9 tokens each there would be 4; the first rounds draft less, since nothing is known yet.
        Assert.IsLessThanOrEqualTo(5, statistics.FullPassCount);
        Assert.AreEqual(statistics.FullPassCount / 36.0, statistics.PassesPerToken, 1e-9);
        Assert.AreEqual(36 - statistics.FullPassCount, statistics.AcceptedTokenCount);

        // The first chain computes every token's keys and values once, and so do the others where they have their own.
        long others = kvSharing ? 0 : 2 + 36;
        CollectionAssert.AreEqual((long[])[2 + 36, others, others], statistics.KeyValuesComputed.ToArray());
        CollectionAssert.AreEqual(
            new[] { new ChainRange(0, 1), new ChainRange(1, 3) },
            sessions[0].Passes.Select(pass => pass.Chains).Distinct().ToArray());
        Assert.IsTrue(sessions[0].Passes.All(pass => pass.Chains.First == 1 || pass.Rows.Length == 1));
        Assert.AreEqual(9, sessions[0].Passes.Max(pass => pass.Rows.Length));
    }

    [TestMethod]
    public void WhereTheFirstChainIsAlwaysWrongLittleIsDrafted()
    {
        using var model = Generators.DraftingModel(kvSharing: true, laterHeads: 1000, seed: 1, [4, 4]);
        var options = new GenerationOptions { MaxNewTokens = 55, MaxDraftTokens = 8, SpeculativeDecoding = true };
        var statistics = Generators.Create(model).GenerateResult("ab", options).Statistics;
        Assert.AreEqual(0, statistics.AcceptedTokenCount);
        Assert.IsGreaterThan(0, statistics.DraftedTokenCount);
        Assert.IsLessThan(10, statistics.DraftedTokenCount);
        Assert.AreEqual(1, statistics.PassesPerToken);
    }

    [TestMethod]
    public void OneChainDecodesPlainly()
    {
        using var model = Generators.EndlessModel(kvSharing: true, 4, 4);
        var options = new GenerationOptions { MaxNewTokens = 5, ChainCount = 1, SpeculativeDecoding = true };
        List<ForwardSession> sessions = [];
        var result = Generators.Create(model, sessions).GenerateResult("ab", options);
        Assert.AreEqual((5, 0), (result.Statistics.FullPassCount, result.Statistics.DraftedTokenCount));
        Assert.HasCount(5, sessions[0].Passes);
    }

    [TestMethod]
    [DataRow(true, 1.0, 1.0, null)]
    [DataRow(false, 1.4, 0.95, null)]
    [DataRow(true, 0.9, 0.95, 4)]
    public void SampledTextFollowsTheDistributionOfPlainSampling(
        bool kvSharing, double penalty, double topP, int? topK)
    {
        const int Seeds = 6000;
        const int Vocabulary = 5;
        using var model = DisagreeingModel(kvSharing, Vocabulary);
        var known = new ConcurrentDictionary<string, float[]>();
        var generator = new TextGenerator(
            model, ByteTokenizer.CreateFiles().CreateTokenizer(), (model, sequenceCount, capacity, mayGrow) =>
                new ForwardSession(model, sequenceCount, capacity, mayGrow, known: known));
        var options = new GenerationOptions
        {
            MaxNewTokens = 3,
            Temperature = 1.2,
            RepetitionPenalty = penalty,
            TopP = topP,
            TopK = topK,
            MaxDraftTokens = 3,
            SpeculativeDecoding = true,
        };
        var expected = Distribution(model, options, known, chainCount: 2, Vocabulary);
        var drafted = Distribution(model, options, known, chainCount: 1, Vocabulary);

        var counts = new int[expected.Length];
        var (draftedTokens, acceptedTokens) = (0, 0);
        for (var seed = 0; seed < Seeds; seed++)
        {
            options.Seed = seed;
            using var session = new ForwardSession(model, 1, 4, mayGrow: false, known: known);
            var result = generator.Resume(session, [1], options, capacity: int.MaxValue);
            counts[result.TokenIds.Aggregate(0, (index, token) => index * Vocabulary + token)]++;
            draftedTokens += result.Statistics.DraftedTokenCount;
            acceptedTokens += result.Statistics.AcceptedTokenCount;
        }
        ChiSquare.Check(expected, counts);
        ChiSquare.CheckDiffers(drafted, counts);

        // It means something only where much is drafted and much of it is rejected.
        Assert.IsGreaterThan(Seeds, draftedTokens);
        var rate = (double)acceptedTokens / draftedTokens;
        Assert.IsTrue(rate is > 0.3 and < 0.9, $"{rate}");
    }

    [TestMethod]
    public void TheCostOfADraftIsTheFirstChainsPartOfTheWeights()
    {
        Assert.AreEqual(1.0 / 10, DraftPolicy.DraftCost(new ChainLayout(8, 8, 8, 8), 4), 1e-9);
        Assert.AreEqual(1.0 / 3, DraftPolicy.DraftCost(new ChainLayout(16, 16), 2), 1e-9);
        Assert.AreEqual(1.0 / 3, DraftPolicy.DraftCost(new ChainLayout(8, 8, 8, 8), 2), 1e-9);
    }

    [TestMethod]
    public void DraftsThatAreAlwaysRightAreMadeHoweverUnsureTheFirstChainIs()
    {
        var policy = new DraftPolicy(draftCost: 0.2, maxDraftTokens: 8);
        var drafted = 0;
        for (var round = 0; round < 20; round++)
        {
            Assert.IsTrue(policy.Begin());
            drafted = 0;
            while (policy.Wants(topProbability: 1e-4))
                drafted++;
            policy.End(drafted);
        }
        Assert.AreEqual(8, drafted);
    }

    [TestMethod]
    public void AFirstChainThatIsNeverRightIsSeldomAsked()
    {
        var policy = new DraftPolicy(draftCost: 0.3, maxDraftTokens: 8);
        var drafted = 0;
        for (var round = 0; round < 200; round++)
        {
            _ = policy.Begin();
            while (policy.Wants(topProbability: 0.9))
                drafted++;
            policy.End(accepted: 0);
        }
        Assert.IsLessThan(50, drafted);
    }

    /// <summary>The probability of every text of three tokens, the first token's digit first.</summary>
    private static double[] Distribution(
        CoLMModel model, GenerationOptions options, ConcurrentDictionary<string, float[]> known, int chainCount,
        int vocabulary)
    {
        var sampler = new TokenSampler(options, vocabulary);
        var probabilities = new double[vocabulary * vocabulary * vocabulary];
        Visit([1], 0, 1);
        return probabilities;

        void Visit(int[] tokens, int index, double probability)
        {
            if (tokens.Length == 4)
            {
                probabilities[index] = probability;
                return;
            }
            using var session = new ForwardSession(model, 1, 4, mayGrow: false, known: known);
            if (tokens.Length > 1)
                session.Prefill(0, tokens.AsSpan(0, tokens.Length - 1), chainCount);
            session.Run([new(0, tokens.Length - 1, tokens[^1])], 0, new ChainRange(0, chainCount));
            var history = new TokenHistory();
            foreach (var token in tokens)
                history.Add(token);
            var next = new TokenDistribution();
            sampler.Fill(next, session.Logits(0), history);
            for (var token = 0; token < vocabulary; token++)
                Visit([.. tokens, token], index * vocabulary + token, probability * next.Probability(token));
        }
    }

    /// <summary>A model of few tokens whose chains together like other tokens than its first chain does.</summary>
    private static CoLMModel DisagreeingModel(bool kvSharing, int vocabulary)
    {
        var config = TestModels.Config(4, 8) with
        {
            KvSharing = kvSharing,
            VocabularySize = vocabulary,
            EosTokenIds = [],
        };
        var model = TestModels.Random(config, seed: 3);
        using var noGradients = no_grad();
        foreach (var (name, parameter) in model.named_parameters())
        {
            if (name.StartsWith("lm_head.", StringComparison.Ordinal))
                parameter.mul_(1.6);
        }
        return model;
    }
}
