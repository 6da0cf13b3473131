using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>A model in bfloat16 learns from steps that its own numbers are too coarse for.</summary>
[TestClass, DoNotParallelize]
public sealed class LowPrecisionTests
{
    // Below 1 bfloat16's numbers are 2^-8 apart: a single step of this rate is rounded away there.
    private const double Rate = 2e-4;

    [TestMethod]
    public void WeightsMoveAsFarAsInFloat32()
    {
        var (expected, _) = Moved(ScalarType.Float32);
        var (actual, norms) = Moved(ScalarType.BFloat16);
        Assert.AreEqual(expected, actual, 0.05 * expected);
        Assert.IsGreaterThan(1 / 256.0 - 1e-6, norms, "No norm's weight has moved.");
    }

    [TestMethod]
    public void TheModelHasTheWeightsRounded()
    {
        using var scope = NewDisposeScope();
        var parameter = new Parameter(ones(3, dtype: bfloat16));
        using var trained = new TrainedParameter(parameter);
        using (no_grad())
            trained.Weights.copy_(tensor((float[])[1 + 1 / 512f, 1.25f, -3.14159265f]));
        trained.Round();
        TensorAssert.SameBits(tensor((float[])[1, 1.25f, -3.140625f]).to(bfloat16), parameter.detach());
    }

    [TestMethod]
    public void GradientsOfPassesAreAddedUpInFloat32()
    {
        using var scope = NewDisposeScope();
        var parameter = new Parameter(ones(2, dtype: bfloat16));
        using var trained = new TrainedParameter(parameter);
        // In bfloat16 one and a 512th is one.
        foreach (var gradient in (float[])[1, .. Enumerable.Repeat(1 / 512f, 64)])
        {
            parameter.grad = full(2, gradient, dtype: bfloat16);
            trained.AddUpGradient();
        }
        TensorAssert.SameBits(tensor((float[])[1.125f, 1.125f]), trained.Gradient!);
        trained.ForgetGradient();
        Assert.IsNull(trained.Gradient);
    }

    /// <summary>How far weights have moved, the mean of all; and a norm's, the farthest.</summary>
    private static (double Mean, double Norms) Moved(ScalarType dtype)
    {
        using var training = new TinyTraining(TextModels.Config(4) with { LayerCount = 1 }, dtype: dtype);
        var before = TinyTraining.Values(training.Model);
        training.Train(new ChainExpansionEstimator.Options
        {
            BatchSize = 4,
            MaxSteps = 30,
            WarmupSteps = 0,
            LearningRate = Rate,
            Decay = LearningRateDecay.None,
        });
        var moved = TinyTraining.Values(training.Model)
            .SelectMany(entry => entry.Value.Select((value, i) => (entry.Key, By: Math.Abs(value - before[entry.Key][i]))))
            .ToArray();
        return (moved.Average(weight => (double)weight.By),
            moved.Where(weight => weight.Key.Contains("norm", StringComparison.Ordinal)).Max(weight => weight.By));
    }
}
