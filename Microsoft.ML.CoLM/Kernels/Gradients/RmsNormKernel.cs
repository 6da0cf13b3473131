using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>RMSNorm of a chain's columns of a matrix on the CPU, and its gradients, row by row.</summary>
internal static unsafe class RmsNormKernel
{
    private const int RowsOfBlock = 32;

    /// <summary>Whether features and weights can be read here.</summary>
    public static bool Suits(Tensor x, Tensor[] weights) =>
        x.device_type == DeviceType.CPU && x.dtype is ScalarType.Float32 or ScalarType.BFloat16 &&
        Array.TrueForAll(weights, weight => weight.dtype == x.dtype);

    /// <summary>y = w · x / sqrt(mean(x²) + ε) of a chain; x / sqrt(...) is rounded to the type by itself.</summary>
    /// <param name="x">[rows, D], contiguous.</param>
    /// <param name="y">[rows, D], contiguous; the chain's columns are written.</param>
    /// <param name="inverseNorms">[rows, 1], float32, written: 1 / sqrt(mean(x²) + ε).</param>
    /// <param name="weight">[D_i].</param>
    /// <param name="start">The chain's first column.</param>
    /// <param name="epsilon">ε.</param>
    public static void Forward(Tensor x, Tensor y, Tensor inverseNorms, Tensor weight, long start, double epsilon)
    {
        if (x.dtype == ScalarType.BFloat16)
            Forward<BFloat16Element>(x, y, inverseNorms, weight, start, epsilon);
        else
            Forward<Float32Element>(x, y, inverseNorms, weight, start, epsilon);
    }

    /// <summary>The gradients of <see cref="Forward(Tensor, Tensor, Tensor, Tensor, long, double)"/>.</summary>
    /// <param name="x">As there.</param>
    /// <param name="inverseNorms">As there, read.</param>
    /// <param name="weight">As there.</param>
    /// <param name="start">As there.</param>
    /// <param name="gradient">[rows, D], contiguous.</param>
    /// <param name="inputGradient">[rows, D], contiguous; the chain's columns are written.</param>
    /// <param name="weightGradient">[D_i], written; null where it is not needed.</param>
    public static void Backward(
        Tensor x, Tensor inverseNorms, Tensor weight, long start, Tensor gradient, Tensor inputGradient, Tensor? weightGradient)
    {
        if (x.dtype == ScalarType.BFloat16)
            Backward<BFloat16Element>(x, inverseNorms, weight, start, gradient, inputGradient, weightGradient);
        else
            Backward<Float32Element>(x, inverseNorms, weight, start, gradient, inputGradient, weightGradient);
    }

    private static void Forward<T>(Tensor x, Tensor y, Tensor inverseNorms, Tensor weight, long start, double epsilon)
        where T : struct, IElement
    {
        var (from, to, weights) = (MatrixView.Of(x).FromColumn(start), MatrixView.Of(y).FromColumn(start), TensorMemory.Address(weight));
        var (inverses, width) = (TensorMemory.Address(inverseNorms), (int)weight.size(0));
        RowBlocks.For((int)x.size(0), RowsOfBlock, width, (_, first, end) =>
        {
            for (var row = first; row < end; row++)
            {
                void* read = (void*)from.FromRow(row).Address, written = (void*)to.FromRow(row).Address;
                ((float*)inverses)[row] = VectorWidth.Floats switch
                {
                    16 => Forward<T, Floats16>(read, (void*)weights, written, width, epsilon),
                    8 => Forward<T, Floats8>(read, (void*)weights, written, width, epsilon),
                    _ => Forward<T, Floats4>(read, (void*)weights, written, width, epsilon),
                };
            }
        });
    }

    private static void Backward<T>(
        Tensor x, Tensor inverseNorms, Tensor weight, long start, Tensor gradient, Tensor inputGradient, Tensor? weightGradient)
        where T : struct, IElement
    {
        var (rows, width) = ((int)x.size(0), (int)weight.size(0));
        var (from, upstream) = (MatrixView.Of(x).FromColumn(start), MatrixView.Of(gradient).FromColumn(start));
        var (to, weights) = (MatrixView.Of(inputGradient).FromColumn(start), TensorMemory.Address(weight));
        var inverses = TensorMemory.Address(inverseNorms);
        // Each block's share of the weights' gradient.
        var sums = new float[RowBlocks.Count(rows, RowsOfBlock) * width];
        RowBlocks.For(rows, RowsOfBlock, width, (block, first, end) =>
        {
            fixed (float* own = &sums[block * width])
            {
                for (var row = first; row < end; row++)
                {
                    void* read = (void*)from.FromRow(row).Address, given = (void*)upstream.FromRow(row).Address;
                    var (written, inverse) = ((nint)to.FromRow(row).Address, ((float*)inverses)[row]);
                    switch (VectorWidth.Floats)
                    {
                        case 16: Backward<T, Floats16>(read, given, (void*)weights, (void*)written, own, width, inverse); break;
                        case 8: Backward<T, Floats8>(read, given, (void*)weights, (void*)written, own, width, inverse); break;
                        default: Backward<T, Floats4>(read, given, (void*)weights, (void*)written, own, width, inverse); break;
                    }
                }
            }
        });
        if (weightGradient is null)
            return;
        var results = (void*)TensorMemory.Address(weightGradient);
        for (var i = 0; i < width; i++)
        {
            var sum = 0.0;
            for (var at = i; at < sums.Length; at += width)
                sum += sums[at];
            T.Set(results, i, (float)sum);
        }
    }

    /// <summary>A row, and 1 / sqrt(mean(x²) + ε).</summary>
    [MethodImpl(KernelMethod.Compiled)]
    public static float Forward<T, TFloats>(void* x, void* weight, void* y, int width, double epsilon)
        where T : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var (squares, i) = (default(TFloats), 0);
        for (; i + TFloats.Count <= width; i += TFloats.Count)
        {
            var v = T.Load<TFloats>(x, i);
            squares = TFloats.MultiplyAdd(v, v, squares);
        }
        var sum = LaneSums.Sum(squares);
        for (; i < width; i++)
            sum += T.Get(x, i) * T.Get(x, i);
        var exact = 1 / Math.Sqrt((double)sum / width + epsilon);
        var (inverse, error) = ((float)exact, (float)(exact - (float)exact));

        var (scale, remainder, zero) = (TFloats.Create(inverse), TFloats.Create(error), default(TFloats));
        for (i = 0; i + TFloats.Count <= width; i += TFloats.Count)
        {
            var (v, w) = (T.Load<TFloats>(x, i), T.Load<TFloats>(weight, i));
            var normalised = v * scale;
            if (typeof(T) == typeof(Float32Element))
            {
                // With what the product and the root left out, so that the result is rounded once.
                var left = TFloats.MultiplyAdd(v, remainder, TFloats.MultiplyAdd(v, scale, zero - normalised));
                T.Store(y, i, TFloats.MultiplyAdd(normalised, w, left * w));
                continue;
            }
            // What is normalised is rounded to the type before it meets the weight, as in Hugging Face's LLaMA.
            T.Store(y, i, normalised);
            T.Store(y, i, T.Load<TFloats>(y, i) * w);
        }
        for (; i < width; i++)
        {
            T.Set(y, i, T.Get(x, i) * inverse);
            T.Set(y, i, T.Get(y, i) * T.Get(weight, i));
        }
        return inverse;
    }

    /// <summary>A row's gradient, and its share of the weight's, which is added to a sum.</summary>
    [MethodImpl(KernelMethod.Compiled)]
    public static void Backward<T, TFloats>(
        void* x, void* gradient, void* weight, void* inputGradient, float* weightSum, int width, float inverse)
        where T : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var (scale, products, i) = (TFloats.Create(inverse), default(TFloats), 0);
        for (; i + TFloats.Count <= width; i += TFloats.Count)
        {
            var normalised = T.Load<TFloats>(x, i) * scale;
            var product = T.Load<TFloats>(gradient, i) * normalised;
            (TFloats.Load(weightSum + i) + product).Store(weightSum + i);
            products = TFloats.MultiplyAdd(product, T.Load<TFloats>(weight, i), products);
        }
        var sum = LaneSums.Sum(products);
        for (; i < width; i++)
        {
            var product = T.Get(gradient, i) * (T.Get(x, i) * inverse);
            weightSum[i] += product;
            sum += product * T.Get(weight, i);
        }
        var mean = sum / width;

        var projection = TFloats.Create(-mean);
        for (i = 0; i + TFloats.Count <= width; i += TFloats.Count)
        {
            var scaled = T.Load<TFloats>(gradient, i) * T.Load<TFloats>(weight, i);
            T.Store(inputGradient, i, TFloats.MultiplyAdd(T.Load<TFloats>(x, i) * scale, projection, scaled) * scale);
        }
        for (; i < width; i++)
        {
            T.Set(inputGradient, i,
                (T.Get(gradient, i) * T.Get(weight, i) - T.Get(x, i) * inverse * mean) * inverse);
        }
    }
}
