using Microsoft.ML.CoLM.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>The optimizer's step is TorchSharp's own on weights in float32, to the bit.</summary>
[TestClass, DoNotParallelize]
public sealed class AdamWStepTests
{
    // The last is more than the kernel's threads take at a time.
    private static readonly long[][] Shapes = [[7, 33], [64], [29, 2029]];

    [TestMethod]
    [DataRow(ScalarType.Float32, 0.9, 0.95, 0.1, 0)]
    [DataRow(ScalarType.Float32, 0.8, 0.99, 0, 0)]
    [DataRow(ScalarType.BFloat16, 0.9, 0.95, 0.1, 0)]
    [DataRow(ScalarType.Float32, 0.9, 0.95, 0.1, int.MaxValue)]
    [DataRow(ScalarType.Float32, 0.8, 0.99, 0, int.MaxValue)]
    [DataRow(ScalarType.BFloat16, 0.9, 0.95, 0.1, int.MaxValue)]
    [DataRow(ScalarType.Float32, 0.9, 0.95, 0.1, 64)]
    [DataRow(ScalarType.BFloat16, 0.9, 0.95, 0.1, 64)]
    public void ItIsTorchSharpsToTheBit(
        ScalarType dtype, double beta1, double beta2, double weightDecay, int elementsAtOnce)
    {
        using var scope = NewDisposeScope();
        var parameters = Parameters(dtype);
        Parameter[] expected = [.. parameters.Select(parameter => new Parameter(parameter.detach().to(float32).clone()))];
        using var theirs = Optimizer(expected, beta1, beta2, weightDecay);
        var actual = Array.ConvertAll(parameters, parameter => new TrainedParameter(parameter));
        var ours = new AdamWStep(new ChainTuningEstimator.Options
        {
            Beta1 = beta1,
            Beta2 = beta2,
            WeightDecay = weightDecay,
        }, elementsAtOnce > 0 ? elementsAtOnce : null);
        using var generator = new Generator(9);
        for (var step = 0; step < 20; step++)
        {
            var rate = 0.01 / (1 + step);
            foreach (var group in theirs.ParamGroups)
                group.LearningRate = rate;
            for (var i = 0; i < expected.Length; i++)
            {
                var gradient = randn(Shapes[i], dtype: float32, generator: generator).to(dtype);
                // A parameter without a gradient stays as it is.
                (expected[i].grad, parameters[i].grad) =
                    i == step % 5 ? (null, null) : (gradient.to(float32).clone(), gradient);
            }
            theirs.step();
            Assert.IsTrue(ours.TryTake(actual, rate, share: 1));
            for (var i = 0; i < expected.Length; i++)
            {
                TensorAssert.SameBits(expected[i], actual[i].Weights, $"step {step}, parameter {i}");
                TensorAssert.SameBits(expected[i].to(dtype), parameters[i], $"step {step}, parameter {i}");
            }
        }
        var states = theirs.state_dict().State.Cast<AdamW.State>().ToArray();
        int[] order = [0, 2, 1];
        for (var i = 0; i < order.Length; i++)
        {
            var own = actual[order[i]];
            Assert.AreEqual(states[i].step, own.Steps);
            TensorAssert.SameBits(states[i].exp_avg, own.Mean);
            TensorAssert.SameBits(states[i].exp_avg_sq, own.MeanSquare);
            own.Dispose();
        }
    }

    [TestMethod]
    public void AParametersOwnRateIsAMultipleOfTheSteps()
    {
        using var scope = NewDisposeScope();
        var (fast, plain) = (Parameters(ScalarType.Float32), Parameters(ScalarType.Float32));
        var ofFast = Array.ConvertAll(fast, parameter => new TrainedParameter(parameter, rateFactor: 8));
        var ofPlain = Array.ConvertAll(plain, parameter => new TrainedParameter(parameter));
        var update = new AdamWStep(new ChainTuningEstimator.Options { WeightDecay = 0.1 });
        for (var step = 1; step <= 3; step++)
        {
            for (var i = 0; i < fast.Length; i++)
                (fast[i].grad, plain[i].grad) = (full_like(fast[i], step), full_like(plain[i], step));
            Assert.IsTrue(update.TryTake(ofFast, rate: 0.01, share: 1));
            Assert.IsTrue(update.TryTake(ofPlain, rate: 0.08, share: 1));
        }
        for (var i = 0; i < fast.Length; i++)
        {
            TensorAssert.SameBits(plain[i].detach(), fast[i].detach());
            ofFast[i].Dispose();
            ofPlain[i].Dispose();
        }
    }

    [TestMethod]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.BFloat16)]
    public void WithoutGradientsAWeightShrinksByTheDecayAlone(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var parameters = Parameters(dtype);
        Tensor[] before = [.. parameters.Select(parameter => parameter.detach().to(float64).clone())];
        var trained = Array.ConvertAll(parameters, parameter => new TrainedParameter(parameter));
        var update = new AdamWStep(new ChainExpansionEstimator.Options { WeightDecay = 0.1 });
        const double Rate = 1e-3;
        for (var step = 0; step < 100; step++)
        {
            foreach (var parameter in parameters)
                parameter.grad = zeros_like(parameter);
            Assert.IsTrue(update.TryTake(trained, Rate, share: 1));
        }
        for (var i = 0; i < parameters.Length; i++)
        {
            // Weights of one dimension are norms', which do not decay.
            var expected = before[i] * (Shapes[i].Length == 1 ? 1 : Math.Pow(1 - Rate * 0.1, 100));
            // A hundred roundings to float32's 24 bits, and in bfloat16 one to 8.
            var tolerance = dtype == ScalarType.Float32 ? 100 * Math.Pow(2, -24) : Math.Pow(2, -8);
            TensorAssert.RelativelyNear(expected, trained[i].Weights.to(float64), 100 * Math.Pow(2, -24));
            TensorAssert.RelativelyNear(expected, parameters[i].detach().to(float64), tolerance);
            trained[i].Dispose();
        }
        Assert.IsFalse(TensorAssert.HaveSameBits(before[0].to(dtype), parameters[0].detach()), "Nothing has shrunk.");
    }

    [TestMethod]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.BFloat16)]
    public void AWeightThatWouldNotBeFiniteIsNotWritten(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var parameter = new Parameter(full([3, 3], 1e20, dtype: dtype));
        var before = parameter.detach().clone();
        using var trained = new TrainedParameter(parameter);
        parameter.grad = ones_like(parameter);
        var update = new AdamWStep(new ChainExpansionEstimator.Options { WeightDecay = 1 });
        Assert.IsFalse(update.TryTake([trained], rate: 1e30, share: 1));
        TensorAssert.SameBits(before, parameter.detach());
        TensorAssert.SameBits(before.to(float32), trained.Weights.detach());
    }

    private static Parameter[] Parameters(ScalarType dtype)
    {
        using var generator = new Generator(5);
        return [.. Shapes.Select(shape =>
            new Parameter(randn(shape, dtype: float32, generator: generator).to(dtype)))];
    }

    // Norms, which do not decay, are a group of their own.
    private static AdamW Optimizer(Parameter[] parameters, double beta1, double beta2, double weightDecay) => optim.AdamW(
        [Group([parameters[0], parameters[2]], beta1, beta2, weightDecay), Group([parameters[1]], beta1, beta2, 0)]);

    private static AdamW.ParamGroup Group(
        Parameter[] parameters, double beta1, double beta2, double weightDecay) => new(
        parameters, new AdamW.Options
        {
            LearningRate = 0.01,
            InitialLearningRate = 0.01,
            beta1 = beta1,
            beta2 = beta2,
            eps = 1e-8,
            weight_decay = weightDecay,
            amsgrad = false,
            maximize = false,
        });
}
