using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// <see cref="ChainLinearKernel"/>'s products of bfloat16 numbers as float32 is multiplied; a sum is rounded once. Some outputs
/// of a weight at a time, so that little is held twice.
/// </summary>
internal static class WidenedChainLinear
{
    /// <summary>As <see cref="ChainLinearKernel.Forward"/>, into y.</summary>
    public static void Forward(Tensor y, Tensor x, Tensor? earlier, ReadOnlySpan<LinearWeight> weights)
    {
        var (wide, before) = (Wide(x), earlier is null ? null : Wide(earlier));
        long start = 0;
        foreach (var weight in weights)
        {
            foreach (var (first, count) in weight.PartsToWiden())
            {
                using var scope = NewDisposeScope();
                var part = new LinearWeight(weight.Widened(ScalarType.Float32, first, count));
                y.narrow(1, start + first, count).copy_(ChainLinearKernel.Forward(wide, before, [part]));
            }
            start += weight.Outputs;
        }
    }

    /// <summary>As <see cref="ChainLinearKernel.InputGradient"/>, into the result.</summary>
    public static void InputGradient(Tensor result, Tensor gradient, long earlierWidth, ReadOnlySpan<LinearWeight> weights)
    {
        var (wide, sum) = (Wide(gradient), zeros_like(result, dtype: ScalarType.Float32));
        long start = 0;
        foreach (var weight in weights)
        {
            var width = weight.Width - earlierWidth;
            foreach (var (first, count) in weight.PartsToWiden())
            {
                using var scope = NewDisposeScope();
                var part = new LinearWeight(weight.Widened(ScalarType.Float32, first, count));
                sum.narrow(1, 0, width).add_(
                    ChainLinearKernel.InputGradient(wide.narrow(1, start + first, count), width, earlierWidth, [part]), Scalars.One);
            }
            start += weight.Outputs;
        }
        result.copy_(sum);
    }

    /// <summary>As <see cref="ChainLinearKernel.WeightGradients"/>, into the results that are there.</summary>
    public static void WeightGradients(
        Tensor?[] results, Tensor gradient, Tensor x, Tensor? earlier, ReadOnlySpan<LinearWeight> weights)
    {
        var (wide, own, before) = (Wide(gradient), Wide(x), earlier is null ? null : Wide(earlier));
        long start = 0;
        for (var i = 0; i < weights.Length; i++)
        {
            foreach (var (first, count) in results[i] is null ? [] : weights[i].PartsToWiden())
            {
                using var scope = NewDisposeScope();
                var part = results[i]!.narrow(0, first, count);
                part.copy_(ChainLinearKernel.WeightGradients(
                    wide.narrow(1, start + first, count), own, before, [new(part)], [true])[0]!);
            }
            start += weights[i].Outputs;
        }
    }

    private static Tensor Wide(Tensor matrix) => matrix.to(ScalarType.Float32);
}
