using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>The loss of responses.</summary>
[TestClass, DoNotParallelize]
public sealed class CompletionObjectiveTests
{
    private static readonly CompletionTokens[] Examples =
    [
        new([1, 4, 5, 6, 7, 8], 3), new([1, 9, 2], 1), new([3, 30, 31, 32, 33, 34, 35, 36, 37], 8), new([5, 6], 1),
    ];

    [TestMethod]
    [DataRow(0, new[] { 1.0, 1, 1 })]
    [DataRow(1, new[] { 0, 0.5, 2 })]
    [DataRow(2, new double[] { 0, 0, 1 })]
    public void ItCountsTheTokensOfResponsesAlone(int frozenChains, double[] weights)
    {
        using var model = TestModels.Random(TestModels.Config(4, 2, 4));
        double expected = 0;
        for (var scale = 0; scale < 3; scale++)
            expected += weights[scale] * MeanLoss(model, scale + 1);
        Assert.AreEqual(expected, Objective(model, frozenChains, Examples, weights).Loss(0).Mean(), 1e-4);
    }

    [TestMethod]
    public void GradientsAreThoseOfTheResponsesAlone()
    {
        using var model = TestModels.Random(TestModels.Config(4));
        var batch = Objective(model, 0, Examples, [1]).Loss(0);
        using (var sum = batch.Sum)
            sum.backward();
        var actual = Gradients(model);
        model.zero_grad();

        // An example at a time, from the logits.
        using var scope = NewDisposeScope();
        List<Tensor> losses = [];
        foreach (var example in Examples)
        {
            var ids = tensor(example.Ids.Select(id => (long)id).ToArray());
            var logits = model.forward(ids.narrow(0, 0, ids.size(0) - 1).unsqueeze(0), 1)[0];
            var start = example.ResponseStart - 1;
            losses.Add(nn.functional.cross_entropy(logits.narrow(0, start, logits.size(0) - start),
                ids.narrow(0, start + 1, logits.size(0) - start), reduction: nn.Reduction.Sum));
        }
        stack(losses).sum().backward();
        Assert.AreEqual(Examples.Sum(example => example.Ids.Length - example.ResponseStart), batch.Count);
        foreach (var (name, expected) in Gradients(model))
        {
            for (var i = 0; i < expected.Length; i++)
                Assert.AreEqual(expected[i], actual[name][i], 1e-4, name);
        }
        model.zero_grad();
    }

    [TestMethod]
    public void APromptIsReadAndNotLearnt()
    {
        // Tokens that stand in the prompt alone are never a target: their rows of the head learn from other targets only.
        using var model = TestModels.Random(TestModels.Config(4));
        CompletionTokens[] examples = [new([1, 20, 21, 22, 7], 4)];
        using var loss = Objective(model, 0, examples, [1]).Loss(0).Sum;
        loss.backward();
        using var scope = NewDisposeScope();
        using var ids = tensor((long[])[1, 20, 21, 22]).unsqueeze(0);
        var features = model.Features(ids, new(0, 1))[^1].detach();
        var probabilities = model.forward(ids, 1)[0][^1].softmax(0).detach();
        probabilities[7].sub_(1);
        TensorAssert.Near(outer(probabilities, features), model.get_parameter("lm_head.chain_1")!.grad!, 1e-4);
        model.zero_grad();
    }

    [TestMethod]
    public void KeptFeaturesGiveTheSameLosses()
    {
        using var model = TestModels.Random(TestModels.Config(4, 2, 4) with { KvSharing = true });
        int[][] sequences = Array.ConvertAll(Examples, example => example.Ids);
        using var frozen = new FrozenFeatures(model, 1, sequences, new(1 << 20, 0, 1 << 12), Assert.Fail);
        for (var batch = 0; batch < 3; batch++)
        {
            var expected = Objective(model, 1, Examples, [0, 1, 1]).Loss(batch).Mean();
            Assert.AreEqual(expected, Objective(model, 1, Examples, [0, 1, 1], frozen).Loss(batch).Mean(), 1e-5 * expected);
        }
    }

    private static CompletionObjective Objective(
        CoLMModel model, int frozenChains, CompletionTokens[] examples, double[] weights, FrozenFeatures? frozen = null)
    {
        int[][] sequences = Array.ConvertAll(examples, example => example.Ids);
        var order = new ExampleOrder(Array.ConvertAll(sequences, ids => ids.Length), batchSize: 4, seed: 1);
        return new(new ExampleFeatures(model, frozenChains, sequences, frozen), examples, order, weights);
    }

    private static double MeanLoss(CoLMModel model, int chainCount)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        double sum = 0;
        var count = 0;
        foreach (var (tokens, start) in Examples)
        {
            var logs = nn.functional.log_softmax(
                model.forward(tensor(tokens.Select(id => (long)id).ToArray()).unsqueeze(0), chainCount)[0], 1);
            for (var t = start; t < tokens.Length; t++)
            {
                sum -= logs[t - 1, tokens[t]].ToDouble();
                count++;
            }
        }
        return sum / count;
    }

    private static Dictionary<string, float[]> Gradients(CoLMModel model) => model.named_parameters()
        .ToDictionary(entry => entry.name, entry => entry.parameter.grad!.data<float>().ToArray());
}
