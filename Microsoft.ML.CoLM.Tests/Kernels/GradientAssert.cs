using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Compares a function that brings its own gradient with the formula that torch differentiates.</summary>
internal static class GradientAssert
{
    /// <summary>Value and gradients of a function are those of a formula, and who needs no gradient gets none.</summary>
    /// <param name="function">What is tested.</param>
    /// <param name="formula">The same, composed of torch's own operations; its inputs are in float64.</param>
    /// <param name="inputs">Both are called with copies; those that require a gradient are compared.</param>
    /// <param name="tolerance">Largest difference, in units of the largest element of what is compared.</param>
    public static void Same(
        Func<Tensor[], Tensor> function, Func<Tensor[], Tensor> formula, Tensor[] inputs, double tolerance)
    {
        // One upstream gradient without structure, and the one that sum() sends: a single number, expanded.
        Compare(function, formula, inputs, tolerance, y => Upstream(y).to(y.dtype).mul(y).sum());
        Compare(function, formula, inputs, tolerance, y => y.sum());
    }

    /// <summary>Random numbers, which require a gradient or do not.</summary>
    public static Tensor Random(
        long[] shape, bool needsGradient = true, int seed = 1, ScalarType dtype = ScalarType.Float64)
    {
        using var generator = new Generator((ulong)(seed + shape.Sum()));
        return randn(shape, dtype: dtype, generator: generator).requires_grad_(needsGradient);
    }

    private static void Compare(Func<Tensor[], Tensor> function, Func<Tensor[], Tensor> formula, Tensor[] inputs,
        double tolerance, Func<Tensor, Tensor> loss)
    {
        using var scope = NewDisposeScope();
        var own = Array.ConvertAll(inputs, input => Leaf(input, input.dtype));
        var plain = Array.ConvertAll(inputs, input => Leaf(input, float64));
        var (actual, expected) = (function(own), formula(plain));
        TensorAssert.RelativelyNear(expected.detach(), actual.detach(), tolerance, "value");

        loss(actual).backward();
        loss(expected).backward();
        for (var i = 0; i < inputs.Length; i++)
        {
            if (!inputs[i].requires_grad)
            {
                Assert.IsNull(own[i].grad, $"input {i} is frozen");
                continue;
            }
            var gradient = own[i].grad;
            Assert.IsNotNull(gradient, $"input {i}");
            Assert.AreEqual(inputs[i].dtype, gradient.dtype, $"input {i}");
            TensorAssert.RelativelyNear(plain[i].grad!, gradient, tolerance, $"gradient of input {i}");
        }
    }

    private static Tensor Leaf(Tensor input, ScalarType dtype) =>
        input.detach().clone().to(dtype).requires_grad_(input.requires_grad);

    private static Tensor Upstream(Tensor y) => Random(y.shape, needsGradient: false, seed: 99);
}
