using System.Numerics.Tensors;
using TorchSharp;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Packs a matrix so that its outputs change least for given inputs: what rounding a weight changes is made up for by the
/// output's weights that are not rounded yet (GPTQ, Frantar et al. 2022).
/// </summary>
internal static unsafe class ErrorFeedback
{
    // Of the inputs' mean square, added to each input's, so that the inverse exists (as in the paper).
    private const double Damping = 0.01;

    /// <summary>How much of a weight's rounding each later one takes over: the upper factor of the inverse of inputsᵀ · inputs.</summary>
    /// <param name="squares">inputsᵀ · inputs, [width, width], float32.</param>
    /// <returns>[width, width], upper triangular, on the CPU.</returns>
    public static Tensor Factor(Tensor squares)
    {
        using var scope = NewDisposeScope();
        // In double precision: fewer inputs than their width leave most of it to the damping.
        var damped = squares.to(ScalarType.Float64, copy: true);
        var diagonal = damped.diagonal();
        var mean = diagonal.mean().item<double>();
        using var damping = (mean > 0 ? Damping * mean : 1).ToScalar();
        diagonal.add_(damping, Scalars.One);
        var inverse = linalg.inv(damped);
        // Rounding leaves it a little lopsided.
        var symmetric = inverse.add(inverse.t(), Scalars.One).div_(Scalars.Two);
        return linalg.cholesky(symmetric).t().to(ScalarType.Float32).cpu().contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Packs all outputs.</summary>
    /// <param name="target">A matrix on the CPU.</param>
    /// <param name="weights">[outputs, width], float32, contiguous, on the CPU; finite.</param>
    /// <param name="factor">Of the inputs: <see cref="Factor"/>.</param>
    public static void Run(PackedWeight target, Tensor weights, Tensor factor)
    {
        var (width, address, shares) = (target.Width, TensorMemory.Address(weights), TensorMemory.Address(factor));
        ParallelWork.For(target.Outputs, output =>
        {
            var row = new ReadOnlySpan<float>((float*)address + (long)output * width, width).ToArray();
            for (var input = 0; input < width; input++)
            {
                var group = row.AsSpan(input, Math.Min(PackedWeight.GroupWidth, width - input));
                if (input % PackedWeight.GroupWidth == 0)
                    target.SetScale(output, input / PackedWeight.GroupWidth, target.BestScale(group));
                var scale = target.Scale(output, input / PackedWeight.GroupWidth);
                var rounded = target.Nearest(row[input] / scale) * scale;
                var share = (float*)shares + (long)input * width;
                var error = (row[input] - rounded) / share[input];
                row[input] = rounded;
                var later = row.AsSpan(input + 1);
                TensorPrimitives.MultiplyAdd(new ReadOnlySpan<float>(share + input + 1, later.Length), -error, later, later);
            }
            target.PackByScales(output, row);
        });
    }
}
