using Microsoft.ML.CoLM.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Several bfloat16 products of libtorch on the CPU, each thread some rows of all of them: dividing every product costs more,
/// since threads wait for each other after each.
/// </summary>
internal static class RowShares
{
    // Of fewer rows, a thread's products would be narrow strips. Nothing but the rows decides: what a chain computes may not
    // depend, not even in its last bit, on the chains that stand beside it.
    private const int FewestRows = 128;

    /// <summary>
    /// Calls a function with a first row and a number of rows, until all rows were named. Temporaries belong to the scope that it is
    /// called in.
    /// </summary>
    /// <param name="like">A matrix of the products' type and device.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="compute">Multiplies what belongs to the rows.</param>
    public static void Run(Tensor like, long rows, Action<long, long> compute)
    {
        var shares = (int)Math.Min(get_num_threads(), rows / FewestRows);
        if (shares < 2 || !OwnThread.IsPossible || like.device_type != DeviceType.CPU || like.dtype != ScalarType.BFloat16)
        {
            compute(0, rows);
            return;
        }
        ParallelWork.For(shares, share =>
        {
            using var noGradients = no_grad();
            using var scope = NewDisposeScope();
            using var ownThread = new OwnThread();
            var (first, end) = (rows * share / shares, rows * (share + 1) / shares);
            compute(first, end - first);
        });
    }
}
