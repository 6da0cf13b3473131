using Microsoft.ML.CoLM.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>The optimizer's step is TorchSharp's own, to the bit.</summary>
[TestClass]
public sealed class AdamWStepTests
{
    [TestMethod]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.BFloat16)]
    public void ItIsTorchSharpsToTheBit(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var (expected, actual) = (Parameters(dtype), Parameters(dtype));
        using var theirs = Optimizer(expected);
        using var ours = Optimizer(actual);
        var update = new AdamWStep(ours);
        using var generator = new Generator(9);
        for (var step = 0; step < 20; step++)
        {
            foreach (var optimizer in new[] { theirs, ours })
            {
                foreach (var group in optimizer.ParamGroups)
                    group.LearningRate = 0.01 / (1 + step);
            }
            for (var i = 0; i < expected.Length; i++)
            {
                var gradient = randn(expected[i].shape, dtype: float32, generator: generator).to(dtype);
                // A parameter without a gradient stays as it is.
                (expected[i].grad, actual[i].grad) = i == step % 5 ? (null, null) : (gradient, gradient.clone());
            }
            theirs.step();
            update.Take();
            for (var i = 0; i < expected.Length; i++)
                TensorAssert.SameBits(expected[i], actual[i], $"step {step}, parameter {i}");
        }
        var (before, after) = (CheckpointTensors.StatesOf(theirs), CheckpointTensors.StatesOf(ours));
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.AreEqual(before[expected[i]].step, after[actual[i]].step);
            TensorAssert.SameBits(before[expected[i]].exp_avg, after[actual[i]].exp_avg);
            TensorAssert.SameBits(before[expected[i]].exp_avg_sq, after[actual[i]].exp_avg_sq);
        }
    }

    private static Parameter[] Parameters(ScalarType dtype)
    {
        using var generator = new Generator(5);
        return [.. ((long[][])[[7, 33], [64], [16, 16]]).Select(shape =>
            new Parameter(randn(shape, dtype: float32, generator: generator).to(dtype)))];
    }

    private static AdamW Optimizer(Parameter[] parameters) => optim.AdamW(
        [Group(parameters[..2], 0.9, 0.95, 1e-8, 0.1), Group(parameters[2..], 0.8, 0.99, 1e-6, 0)]);

    private static AdamW.ParamGroup Group(
        Parameter[] parameters, double beta1, double beta2, double epsilon, double weightDecay) => new(
        parameters, new AdamW.Options
        {
            LearningRate = 0.01,
            InitialLearningRate = 0.01,
            beta1 = beta1,
            beta2 = beta2,
            eps = epsilon,
            weight_decay = weightDecay,
            amsgrad = false,
            maximize = false,
        });
}
