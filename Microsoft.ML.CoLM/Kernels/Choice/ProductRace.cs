using System.Diagnostics;
using Microsoft.ML.CoLM.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Times what multiplies matrices at a Chain-of-Linear of two chains, in some milliseconds and on one thread: of several, a busy
/// machine disturbs one or another every time.
/// </summary>
internal static class ProductRace
{
    // Of this size libraries' speeds stand to each other as they do at a model's own, and it takes a millisecond. (`products`)
    private const int Rows = 128;
    private const int Width = 768;

    // The first makes code and threads ready; of the others the shortest counts, which is the one least disturbed.
    private const int Rounds = 6;

    /// <summary>The shortest time of each candidate; they take turns.</summary>
    /// <param name="type">The matrices' type.</param>
    /// <param name="candidates">What multiplies.</param>
    /// <returns>In milliseconds.</returns>
    public static double[] Run(ScalarType type, IReadOnlyList<MatrixProducts> candidates)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var x = Filled(type, Rows, Width);
        LinearWeight[] weights = [new(Filled(type, Width / 2, Width / 2)), new(Filled(type, Width / 2, Width))];
        var times = Enumerable.Repeat(double.PositiveInfinity, candidates.Count).ToArray();
        for (var round = 0; round < Rounds; round++)
        {
            for (var i = 0; i < times.Length; i++)
            {
                using var use = MatrixProducts.Use(candidates[i]);
                var time = Time(x, weights);
                if (round > 0)
                    times[i] = Math.Min(times[i], time);
            }
        }
        return times;
    }

    // Not random: whoever draws numbers with a seed is to draw the same with and without this.
    private static Tensor Filled(ScalarType type, long rows, long columns) => ones([rows, columns], dtype: type);

    private static double Time(Tensor x, LinearWeight[] weights)
    {
        using var scope = NewDisposeScope();
        if (!OwnThread.IsPossible)
            return Measured(x, weights);
        using var ownThread = new OwnThread();
        return Measured(x, weights);
    }

    private static double Measured(Tensor x, LinearWeight[] weights)
    {
        var start = Stopwatch.GetTimestamp();
        _ = ChainLinearKernel.Forward(x, earlier: null, weights);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
