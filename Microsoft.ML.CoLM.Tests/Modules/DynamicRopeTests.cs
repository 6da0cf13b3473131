using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tests.Generation;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>Angles that depend on a sequence's length: its own, whatever is beside it and however it is computed.</summary>
[TestClass, DoNotParallelize]
public sealed class DynamicRopeTests
{
    private const double Tolerance = 2e-5;
    private static readonly DynamicRopeScaling Scaling = new(factor: 4, originalContextLength: 16);

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void ASequenceScoresInABatchAndInACascadeAsAlone(bool kvSharing)
    {
        using var model = Model(kvSharing);
        var sequences = Sequences(model, 30);
        var every = SequenceScorer.ScoreEveryScale(model, sequences);
        var losses = every.Zip(sequences, (scales, ids) => -scales[0] / (ids.Length - 1)).Order().ToArray();
        var cascade = new Cascade([1, 2, 3], [(losses[14] + losses[15]) / 2, (losses[22] + losses[23]) / 2]);
        var cascaded = new CascadeScorer(model, cascade).Score(sequences);
        for (var i = 0; i < sequences.Length; i++)
        {
            var alone = SequenceScorer.ScoreEveryScale(model, [sequences[i]])[0];
            for (var chainCount = 1; chainCount <= 3; chainCount++)
            {
                AreClose(alone[chainCount - 1], every[i][chainCount - 1], $"sequence {i}");
                AreClose(OfForward(model, sequences[i], chainCount), every[i][chainCount - 1], $"sequence {i}, forward");
            }
            AreClose(alone[cascaded[i].ChainsUsed - 1], cascaded[i].LogProbability, $"sequence {i}, cascade");
        }
        Assert.IsGreaterThan(1, cascaded.Select(score => score.ChainsUsed).Distinct().Count());
    }

    [TestMethod]
    [DataRow(true, FeaturePooling.LastToken)]
    [DataRow(false, FeaturePooling.LastToken)]
    [DataRow(true, FeaturePooling.Mean)]
    public void ATextHasItsOutputsInABatchAndInACascadeAsAlone(bool kvSharing, FeaturePooling pooling)
    {
        using var model = Model(kvSharing);
        using var head = new ChainHead(model.Config, outputCount: 4, CPU, pooling);
        using (no_grad())
        {
            foreach (var parameter in head.parameters())
            {
                using var generator = new Generator(5);
                using var values = randn(parameter.shape, generator: generator);
                parameter.copy_(values.mul_(0.2));
            }
        }
        var sequences = Sequences(model, 30);
        var every = SequencePredictor.Outputs(model, head, sequences, new(0, 3));
        var margins = every.Select(scales => Probabilities.Margin(scales[0])).Order().ToArray();
        var threshold = (margins[14] + margins[15]) / 2;
        var cascaded = new CascadePredictor(model, head, new Cascade([1, 2, 3], [threshold, threshold])).Predict(sequences);
        for (var i = 0; i < sequences.Length; i++)
        {
            var alone = SequencePredictor.Outputs(model, head, [sequences[i]], new(0, 3))[0];
            for (var output = 0; output < 4; output++)
            {
                for (var chain = 0; chain < 3; chain++)
                    Assert.AreEqual(alone[chain][output], every[i][chain][output], 1e-4, $"sequence {i}");
                Assert.AreEqual(
                    alone[cascaded[i].ChainsUsed - 1][output], cascaded[i].Outputs[output], 1e-4, $"sequence {i}, cascade");
            }
        }
        Assert.IsGreaterThan(1, cascaded.Select(prediction => prediction.ChainsUsed).Distinct().Count());
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void PromptsTogetherWithDraftsAndFromStreamedCachesGiveTheTextsOfEachAlone(bool kvSharing)
    {
        using var model = Model(kvSharing);
        using (no_grad())
        {
            // The first chain is sure of what it drafts, and often right.
            foreach (var (name, parameter) in model.named_parameters())
            {
                if (name.StartsWith("lm_head.", StringComparison.Ordinal))
                    parameter.mul_(name == "lm_head.chain_1" ? 10 : 2);
            }
        }
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        // Some begin below the original context and end beyond it.
        string[] prompts = [.. Generators.Prompts, TextModels.Sentence(13), TextModels.Sentence(25)];
        var options = new GenerationOptions { MaxNewTokens = 22 };
        var alone = prompts.Select(prompt => generator.GenerateResult(prompt, options)).ToArray();
        var together = generator.GenerateBatch(prompts, options);
        var drafting = new GenerationOptions { MaxNewTokens = 22, SpeculativeDecoding = true };
        var drafted = generator.GenerateBatch(prompts, drafting);
        for (var i = 0; i < prompts.Length; i++)
        {
            Generators.AreSame(alone[i], together[i], $"prompt {i}");
            Generators.AreSame(alone[i], drafted[i], $"prompt {i} with drafts");
            foreach (var later in (GenerationOptions[])[options, drafting])
            {
                using var stream = new MemoryStream();
                using (var prefilled = generator.Prefill(prompts[i]))
                    prefilled.Save(stream, model);
                stream.Position = 0;
                using var cache = KvCache.Load(stream, model);
                Generators.AreSame(alone[i], generator.Continue(cache, later), $"prompt {i} from its cache");
            }
        }
        Assert.IsGreaterThan(10, drafted.Sum(result => result.Statistics.AcceptedTokenCount));
    }

    [TestMethod]
    public void ForwardAloneGoesBeyondTheContext()
    {
        const int Length = 80;
        var config = Config(kvSharing: true);
        using var model = TextModels.Random(config);
        using var plain = TextModels.Random(config with
        {
            RopeScaling = null,
            RopeTheta = Scaling.Theta(config.RopeTheta, config.HeadWidth, Length),
            ContextLength = Length,
        });
        using var noGradients = no_grad();
        using var ids = randint(0, 256, [2, Length], dtype: int64);
        using var expected = plain.forward(ids, 3);
        using var actual = model.forward(ids, 3);
        TensorAssert.SameBits(expected, actual);

        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        var error = Assert.Throws<ArgumentException>(() => generator.GenerateResult(TextModels.Sentence(Length), new()));
        Assert.Contains("64", error.Message);
    }

    private static CoLMModel Model(bool kvSharing) => TextModels.Random(Config(kvSharing));

    private static CoLMConfig Config(bool kvSharing) => TextModels.Config(4, 2, 4) with
    {
        KvSharing = kvSharing,
        EosTokenIds = [],
        RopeScaling = Scaling,
    };

    // On both sides of the original context, to the end of the scaled one.
    private static int[][] Sequences(CoLMModel model, int count)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(i => Enumerable.Range(0, 5 + 2 * (i * 11 % count))
            .Select(_ => random.Next(model.Config.VocabularySize)).ToArray())];
    }

    private static double OfForward(CoLMModel model, int[] sequence, int chainCount)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var ids = tensor(sequence.Select(id => (long)id).ToArray());
        var logits = model.forward(ids[..^1].unsqueeze(0), chainCount)[0].to(float64);
        return logits.log_softmax(-1).gather(1, ids[1..].unsqueeze(1)).sum().item<double>();
    }

    private static void AreClose(double expected, double actual, string what) =>
        Assert.AreEqual(expected, actual, Tolerance * Math.Max(1, Math.Abs(expected)), what);
}
