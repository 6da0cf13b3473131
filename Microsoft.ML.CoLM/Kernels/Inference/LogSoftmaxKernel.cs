using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// The natural log of one number's softmax in each row of a matrix on the CPU. Nothing is written but the results, where libtorch
/// writes the whole matrix once more.
/// </summary>
internal static unsafe class LogSoftmaxKernel
{
    // Numbers of all rows: of fewer, waking a thread takes too large a part of the time.
    private const long Fewest = 1 << 17;

    /// <summary>Whether a matrix's rows can be read here.</summary>
    public static bool Suits(Tensor logits) => logits.device_type == DeviceType.CPU && logits.stride(1) == 1 &&
        logits.dtype is ScalarType.Float32 or ScalarType.BFloat16;

    /// <summary>log softmax(row)[target] of each row, in float32.</summary>
    /// <param name="logits">[rows, V].</param>
    /// <param name="targets">[rows], each below V.</param>
    public static float[] Of(Tensor logits, int[] targets)
    {
        var (view, width, results) = (MatrixView.Of(logits), (int)logits.size(1), new float[targets.Length]);
        var threads = (long)width * targets.Length < Fewest ? 1 : get_num_threads();
        var next = 0;
        if (threads == 1)
            TakePart();
        else
            ParallelWork.For(threads, _ => TakePart());
        return results;

        void TakePart()
        {
            while (Interlocked.Increment(ref next) is var taken && taken <= targets.Length)
            {
                var row = taken - 1;
                var memory = (void*)view.FromRow(row).Address;
                results[row] = (float)(view.IsBFloat16
                    ? Of<BFloat16Element>(memory, width, targets[row]) : Of<Float32Element>(memory, width, targets[row]));
            }
        }
    }

    /// <summary>log softmax(numbers)[target].</summary>
    /// <param name="memory">[width].</param>
    /// <param name="width">How many numbers.</param>
    /// <param name="target">Which.</param>
    public static double Of<TIn, TFloats>(void* memory, int width, int target)
        where TIn : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var (greatest, sum) = ExponentialSum.Of<TIn, TFloats>(memory, width);
        return (double)TIn.Get(memory, target) - greatest - Math.Log(sum);
    }

    private static double Of<TIn>(void* memory, int width, int target)
        where TIn : struct, IElement => VectorWidth.Floats switch
        {
            16 => Of<TIn, Floats16>(memory, width, target),
            8 => Of<TIn, Floats8>(memory, width, target),
            _ => Of<TIn, Floats4>(memory, width, target),
        };
}
