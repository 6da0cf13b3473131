using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Microsoft.ML.CoLM.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// AdamW's update of a parameter on the CPU, and the sum of a gradient's squares, by all threads: weights, gradient and both means
/// go through the processor once.
/// </summary>
/// <remarks>An update has the bits of libtorch's operations, one after the other, on processors that multiply and add at once.</remarks>
internal static unsafe class AdamWKernel
{
    // Of neighbours that a thread takes at a time: weights that are not finite are found before any of a run is written, and
    // until then they stay in the first-level cache.
    private const int RunLength = 1 << 11;

    private const int RunsOfBlock = 8;

    /// <summary>Whether a parameter can be updated here.</summary>
    public static bool Suits(Tensor weights, Tensor gradient) =>
        Fma.IsSupported && MklRoots.AreAvailable && OwnThread.IsPossible && weights.device_type == DeviceType.CPU && gradient.device_type == DeviceType.CPU &&
        weights.dtype == ScalarType.Float32 && gradient.dtype is ScalarType.Float32 or ScalarType.BFloat16 &&
        weights.is_contiguous();

    /// <summary>Updates a parameter; see <see cref="Suits"/>.</summary>
    /// <param name="weights">Float32; what would not be finite is not written.</param>
    /// <param name="mean">The mean gradient, as the weights.</param>
    /// <param name="meanSquare">The mean squared gradient, as the weights.</param>
    /// <param name="gradient">Contiguous; multiplied by its factor in place where it is float32.</param>
    /// <param name="rounded">The weights in bfloat16, written; null where nobody wants them.</param>
    /// <param name="numbers">What is multiplied by.</param>
    /// <returns>Whether all weights would have been finite.</returns>
    public static bool TryUpdate(
        Tensor weights, Tensor mean, Tensor meanSquare, Tensor gradient, Tensor? rounded, AdamWNumbers numbers)
    {
        var all = new Parts(TensorMemory.Address(weights), TensorMemory.Address(mean), TensorMemory.Address(meanSquare),
            TensorMemory.Address(gradient), rounded is null ? 0 : TensorMemory.Address(rounded));
        var isBFloat16 = gradient.dtype == ScalarType.BFloat16;
        var failed = 0;
        ForRuns(weights.numel(), (_, first, count) =>
        {
            var isFinite = isBFloat16
                ? TryUpdate<BFloat16Element>(all, first, count, numbers) : TryUpdate<Float32Element>(all, first, count, numbers);
            if (!isFinite)
                Interlocked.Exchange(ref failed, 1);
        });
        return failed == 0;
    }

    /// <summary>The sum of a contiguous tensor's squares; see <see cref="Suits"/>.</summary>
    public static double SumOfSquares(Tensor gradient)
    {
        var (address, isBFloat16, length) = (TensorMemory.Address(gradient), gradient.dtype == ScalarType.BFloat16, gradient.numel());
        var sums = new double[(length + RunLength - 1) / RunLength];
        ForRuns(length, (run, first, count) => sums[run] = isBFloat16
            ? SumOfSquares<BFloat16Element>((void*)address, first, count)
            : SumOfSquares<Float32Element>((void*)address, first, count));
        // In the order of the runs, whoever computed them.
        return sums.Sum();
    }

    /// <summary>Updates some neighbours.</summary>
    [MethodImpl(KernelMethod.Compiled)]
    private static bool TryUpdate<T, TFloats>(Parts all, long first, int count, AdamWNumbers numbers)
        where T : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var next = stackalloc float[RunLength];
        float* weights = all.Weights + first, mean = all.Mean + first, meanSquare = all.MeanSquare + first;
        var i = 0;
        for (; i + TFloats.Count <= count; i += TFloats.Count)
        {
            var gradient = T.Load<TFloats>(all.Gradient, first + i) * TFloats.Create(numbers.Share);
            Remember(mean + i, meanSquare + i, gradient, numbers);
            if (typeof(T) == typeof(Float32Element))
                T.Store(all.Gradient, first + i, gradient);
        }
        for (; i < count; i++)
        {
            var gradient = T.Get(all.Gradient, first + i) * numbers.Share;
            if (typeof(T) == typeof(Float32Element))
                T.Set(all.Gradient, first + i, gradient);
            mean[i] = MathF.FusedMultiplyAdd(gradient, numbers.New1, mean[i] * numbers.Old1);
            meanSquare[i] = MathF.FusedMultiplyAdd(numbers.New2 * gradient, gradient, meanSquare[i] * numbers.Old2);
        }
        MklRoots.Compute(count, meanSquare, next);

        // Zeros where weights would be finite, and no numbers elsewhere.
        var (differences, difference) = (default(TFloats), 0f);
        for (i = 0; i + TFloats.Count <= count; i += TFloats.Count)
        {
            var denominator = TFloats.Load(next + i) / TFloats.Create(numbers.Root) + TFloats.Create(numbers.Epsilon);
            var result = TFloats.Load(weights + i) * TFloats.Create(numbers.Decay) +
                TFloats.Create(numbers.Step) * TFloats.Load(mean + i) / denominator;
            differences += result - result;
            result.Store(next + i);
        }
        for (; i < count; i++)
        {
            var denominator = next[i] / numbers.Root + numbers.Epsilon;
            next[i] = weights[i] * numbers.Decay + numbers.Step * mean[i] / denominator;
            difference += next[i] - next[i];
        }
        if (LaneSums.Sum(differences) + difference != 0)
            return false;
        new ReadOnlySpan<float>(next, count).CopyTo(new Span<float>(weights, count));
        if (all.Rounded != null)
            RowKernels.Narrow<BFloat16Element, TFloats>(next, all.Rounded, first, count);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Remember<TFloats>(float* mean, float* meanSquare, TFloats gradient, AdamWNumbers numbers)
        where TFloats : struct, IFloats<TFloats>
    {
        TFloats.MultiplyAdd(gradient, TFloats.Create(numbers.New1), TFloats.Load(mean) * TFloats.Create(numbers.Old1)).Store(mean);
        TFloats.MultiplyAdd(TFloats.Create(numbers.New2) * gradient, gradient,
            TFloats.Load(meanSquare) * TFloats.Create(numbers.Old2)).Store(meanSquare);
    }

    private static bool TryUpdate<T>(Parts all, long first, int count, AdamWNumbers numbers)
        where T : struct, IElement => VectorWidth.Floats switch
        {
            16 => TryUpdate<T, Floats16>(all, first, count, numbers),
            8 => TryUpdate<T, Floats8>(all, first, count, numbers),
            _ => TryUpdate<T, Floats4>(all, first, count, numbers),
        };

    [MethodImpl(KernelMethod.Compiled)]
    private static double SumOfSquares<T, TFloats>(void* memory, long first, int count)
        where T : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var (sums, others, i) = (default(TFloats), default(TFloats), 0);
        for (; i + 2 * TFloats.Count <= count; i += 2 * TFloats.Count)
        {
            var (a, b) = (T.Load<TFloats>(memory, first + i), T.Load<TFloats>(memory, first + i + TFloats.Count));
            sums = TFloats.MultiplyAdd(a, a, sums);
            others = TFloats.MultiplyAdd(b, b, others);
        }
        double sum = LaneSums.Sum(sums + others);
        for (; i < count; i++)
            sum += (double)T.Get(memory, first + i) * T.Get(memory, first + i);
        return sum;
    }

    private static double SumOfSquares<T>(void* memory, long first, int count)
        where T : struct, IElement => VectorWidth.Floats switch
        {
            16 => SumOfSquares<T, Floats16>(memory, first, count),
            8 => SumOfSquares<T, Floats8>(memory, first, count),
            _ => SumOfSquares<T, Floats4>(memory, first, count),
        };

    private static void ForRuns(long length, Action<int, long, int> work) => RowBlocks.For(
        checked((int)((length + RunLength - 1) / RunLength)), RunsOfBlock, RunLength, (_, firstRun, endRun) =>
        {
            using var ownThread = new OwnThread();
            for (var run = firstRun; run < endRun; run++)
            {
                var first = (long)run * RunLength;
                work(run, first, (int)Math.Min(RunLength, length - first));
            }
        });

    /// <summary>Where a parameter's parts lie.</summary>
    private readonly struct Parts(nint weights, nint mean, nint meanSquare, nint gradient, nint rounded)
    {
        public float* Weights => (float*)weights;

        public float* Mean => (float*)mean;

        public float* MeanSquare => (float*)meanSquare;

        public void* Gradient => (void*)gradient;

        public void* Rounded => (void*)rounded;
    }
}
