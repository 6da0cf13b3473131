using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// The cross-entropy of rows of logits on the CPU, and its gradient: a row stays in the nearest caches from its greatest logit to
/// its gradient, so that memory is read once and written once.
/// </summary>
internal static unsafe class CrossEntropyKernel
{
    /// <summary>Whether logits can be read here.</summary>
    public static bool Suits(Tensor logits) => logits.device_type == DeviceType.CPU &&
        logits.dtype is ScalarType.Float32 or ScalarType.BFloat16;

    /// <summary>Σ_rows -log softmax(row)[target].</summary>
    /// <param name="logits">[rows, V], contiguous.</param>
    /// <param name="targets">[rows], Int64, below V.</param>
    /// <param name="gradient">
    /// [rows, V], contiguous, written: the sum's gradient times a factor; may be the logits. Null where it is not needed.
    /// </param>
    /// <param name="factor">The factor.</param>
    public static double Sum(Tensor logits, Tensor targets, Tensor? gradient, double factor)
    {
        var (rows, width) = ((int)logits.size(0), (int)logits.size(1));
        var losses = new double[rows];
        var (from, places) = (MatrixView.Of(logits), TensorMemory.Address(targets));
        var to = gradient is null ? default : MatrixView.Of(gradient);
        var (readsBFloat16, writesBFloat16) = (logits.dtype == ScalarType.BFloat16, gradient?.dtype == ScalarType.BFloat16);
        RowBlocks.For(rows, rowsOfBlock: 1, width, (row, _, _) =>
        {
            var (read, written) = (from.FromRow(row).Address, gradient is null ? 0 : to.FromRow(row).Address);
            var target = (int)((long*)places)[row];
            losses[row] = (readsBFloat16, writesBFloat16) switch
            {
                (false, _) => Row<Float32Element, Float32Element>((void*)read, (void*)written, width, target, factor),
                (_, false) => Row<BFloat16Element, Float32Element>((void*)read, (void*)written, width, target, factor),
                _ => Row<BFloat16Element, BFloat16Element>((void*)read, (void*)written, width, target, factor),
            };
        });
        // In the order of the rows, whoever computed them.
        return losses.Sum();
    }

    /// <summary>A row's loss, and its gradient.</summary>
    /// <param name="logits">[width].</param>
    /// <param name="gradient">[width], written; may be the logits. Null where it is not needed.</param>
    /// <param name="width">How many.</param>
    /// <param name="target">Which of them is right.</param>
    /// <param name="factor">Multiplies the gradient.</param>
    [MethodImpl(KernelMethod.Compiled)]
    public static double Row<TIn, TOut, TFloats>(void* logits, void* gradient, int width, int target, double factor)
        where TIn : struct, IElement
        where TOut : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        var (greatest, sum) = ExponentialSum.Of<TIn, TFloats>(logits, width);
        var logarithm = (double)TIn.Get(logits, target) - greatest - Math.Log(sum);
        if (gradient == null)
            return -logarithm;

        // Exponentials once more, rather than kept in a type that rounds them.
        var (share, scale, shift) = ((float)(factor / sum), TFloats.Create((float)(factor / sum)), TFloats.Create(greatest));
        var (whole, i) = (width - width % TFloats.Count, 0);
        for (; i < whole; i += TFloats.Count)
            TOut.Store(gradient, i, VectorMath.ExpOfNonPositive(TIn.Load<TFloats>(logits, i) - shift) * scale);
        for (; i < width; i++)
            TOut.Set(gradient, i, MathF.Exp(TIn.Get(logits, i) - greatest) * share);
        TOut.Set(gradient, target, (float)((Math.Exp(logarithm) - 1) * factor));
        return -logarithm;
    }

    private static double Row<TIn, TOut>(void* logits, void* gradient, int width, int target, double factor)
        where TIn : struct, IElement
        where TOut : struct, IElement => VectorWidth.Floats switch
        {
            16 => Row<TIn, TOut, Floats16>(logits, gradient, width, target, factor),
            8 => Row<TIn, TOut, Floats8>(logits, gradient, width, target, factor),
            _ => Row<TIn, TOut, Floats4>(logits, gradient, width, target, factor),
        };
}
