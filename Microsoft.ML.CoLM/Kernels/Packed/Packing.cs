using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Packs the outputs of a matrix, on all threads.</summary>
internal static unsafe class Packing
{
    // Weights that a thread packs before it takes others.
    private const int AtOnce = 1 << 16;

    /// <param name="target">A matrix on the CPU.</param>
    /// <param name="weights">[outputs, width], float32, contiguous, on the CPU.</param>
    /// <param name="name">The weight's name, for messages.</param>
    /// <exception cref="ArgumentException">A weight is NaN or infinite.</exception>
    public static void Run(PackedWeight target, Tensor weights, string name)
    {
        var (outputs, address) = ((int)weights.size(0), TensorMemory.Address(weights));
        var outputsAtOnce = Math.Max(1, AtOnce / target.Width);
        ParallelWork.For((outputs + outputsAtOnce - 1) / outputsAtOnce, share =>
        {
            for (var output = share * outputsAtOnce; output < Math.Min(outputs, (share + 1) * outputsAtOnce); output++)
            {
                var row = new ReadOnlySpan<float>((float*)address + (long)output * target.Width, target.Width);
                if (!float.IsFinite(PackedScale.LargestMagnitude(row)))
                    throw new ArgumentException($"The model's weight '{name}' has elements that are NaN or infinite.");
                target.Pack(output, row);
            }
        });
    }
}
