using System.Runtime.CompilerServices;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>What a softmax divides by.</summary>
internal static unsafe class ExponentialSum
{
    // Exponentials that a lane adds up in float32, before they are added to a double: beside a large one, each small one rounds.
    private const int ExponentialsOfLane = 32;

    /// <summary>The greatest of some numbers, and Σ exp(number - greatest).</summary>
    /// <param name="numbers">[width].</param>
    /// <param name="width">How many.</param>
    [MethodImpl(KernelMethod.Compiled)]
    public static (float Greatest, double Sum) Of<TIn, TFloats>(void* numbers, int width)
        where TIn : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var (lanes, whole, i) = (TFloats.Create(float.NegativeInfinity), width - width % TFloats.Count, 0);
        for (; i < whole; i += TFloats.Count)
            lanes = TFloats.Max(lanes, TIn.Load<TFloats>(numbers, i));
        var greatest = lanes.Greatest();
        for (; i < width; i++)
            greatest = Math.Max(greatest, TIn.Get(numbers, i));

        var (shift, sum) = (TFloats.Create(greatest), 0.0);
        for (i = 0; i < whole;)
        {
            var (sums, end) = (default(TFloats), Math.Min(whole, i + ExponentialsOfLane * TFloats.Count));
            for (; i < end; i += TFloats.Count)
                sums += VectorMath.ExpOfNonPositive(TIn.Load<TFloats>(numbers, i) - shift);
            sum += LaneSums.Sum(sums);
        }
        for (; i < width; i++)
            sum += Math.Exp((double)TIn.Get(numbers, i) - greatest);
        return (greatest, sum);
    }
}
