using Microsoft.ML.CoLM.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Matrix products at once on the CPU, each on one thread. Where all threads share every product, each multiplies a narrow
/// strip, which costs more than its share, and they wait for each other after every one.
/// </summary>
internal static class SmallGemm
{
    // Multiplications of all products together: of fewer, waking a thread takes too large a part of the time; of more,
    // the strips are wide enough.
    private const double Fewest = 1 << 24;
    private const double Most = 1 << 28;

    // The busiest thread's work against an even share: beyond it, sharing every product is faster.
    private const double MostUneven = 1.1;

    /// <summary>Computes products where this is the faster way.</summary>
    /// <param name="products">
    /// None reads or writes what another one writes, and no target is as narrow as to need <see cref="ChainLinearKernel"/>'s
    /// care.
    /// </param>
    /// <returns>Whether they are computed.</returns>
    public static bool TryRun(IReadOnlyCollection<GemmOperands> products)
    {
        if (!OwnThread.IsPossible || !products.All(UsesMkl) || Share(products) is not { } shares)
            return false;
        ParallelWork.For(shares.Length, thread => Multiply(shares[thread]));
        return true;
    }

    private static bool UsesMkl(GemmOperands product) => product.Target is
    {
        device_type: DeviceType.CPU, dtype: ScalarType.Float32 or ScalarType.Float64,
    };

    /// <summary>Gives the largest product to the least busy thread, and so on.</summary>
    /// <returns>Each thread's products, or null where these do not suit one thread each.</returns>
    private static List<GemmOperands>[]? Share(IReadOnlyCollection<GemmOperands> products)
    {
        double all = products.Sum(product => product.Multiplications);
        var threads = get_num_threads();
        if (all is < Fewest or > Most || threads == 1 || products.Count < threads)
            return null;
        var shares = new List<GemmOperands>[threads];
        var work = new double[threads];
        for (var thread = 0; thread < threads; thread++)
            shares[thread] = [];
        foreach (var product in products.OrderByDescending(product => product.Multiplications))
        {
            var least = Array.IndexOf(work, work.Min());
            shares[least].Add(product);
            work[least] += product.Multiplications;
        }
        return work.Max() * threads <= all * MostUneven ? shares : null;
    }

    private static void Multiply(List<GemmOperands> products)
    {
        using var noGradients = no_grad();
        using var ownThread = new OwnThread();
        foreach (var (target, left, right) in products)
            target.addmm_(left, right, beta: 0);
    }
}
