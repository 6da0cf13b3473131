using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// The arithmetic of a Chain-of-Linear, y_i = W_i · x_≤i, for the chains of one range.
/// </summary>
/// <remarks>
/// One matrix product for each chain, written straight into its slice of the result and reading a slice of the
/// input: no zero block is stored or multiplied, and nothing is concatenated. Features of chains before the range
/// (<c>earlier</c>, width E) are a matrix of their own, since they are often computed elsewhere, without gradients.
/// </remarks>
internal static class ChainLinearKernel
{
    // MKL's kernels for matrices with few rows or columns sum in an order that depends on the alignment of a row, and
    // libtorch's for bfloat16 read what a slice of one column held before. So there slices are copied: what a chain
    // computes may not depend, not even in its last bit, on the chains that stand beside it.
    private const int Few = 16;

    /// <summary>The outputs of the range's chains.</summary>
    /// <param name="x">[rows, X], the range's own inputs.</param>
    /// <param name="earlier">[rows, E], the inputs of the chains before the range, or null where E is 0.</param>
    /// <param name="weights">W_i of the range's chains, [Y_i, E + X_≤i].</param>
    /// <returns>[rows, Y], the chains' outputs beside each other.</returns>
    public static Tensor Forward(Tensor x, Tensor? earlier, ReadOnlySpan<LinearWeight> weights)
    {
        using var scope = NewDisposeScope();
        var earlierWidth = earlier?.size(1) ?? 0;
        long outputWidth = 0;
        foreach (var weight in weights)
            outputWidth += weight.Outputs;

        var y = empty([x.size(0), outputWidth], dtype: x.dtype, device: x.device);
        if (MatrixProducts.AreOwn(x))
        {
            ChainLinearBlocks.Forward(y, x, earlier, weights);
            return y.MoveToOuterDisposeScope();
        }
        if (MatrixProducts.Widen(x))
        {
            WidenedChainLinear.Forward(y, x, earlier, weights);
            return y.MoveToOuterDisposeScope();
        }
        var all = Widened(weights, x.dtype);
        RowShares.Run(x, x.size(0), (first, rows) =>
        {
            var (own, before) = (Rows(x, first, rows), earlier is null ? null : Rows(earlier, first, rows));
            long start = 0;
            foreach (var weight in all)
            {
                var inputWidth = weight.size(1) - earlierWidth;
                var slice = Rows(y, first, rows).narrow(1, start, weight.size(0));
                if (before is not null)
                    Multiply(slice, before, Columns(weight, 0, earlierWidth).t(), adds: false);
                Multiply(slice, Columns(own, 0, inputWidth), Columns(weight, earlierWidth, inputWidth).t(),
                    adds: before is not null);
                start += weight.size(0);
            }
        });
        return y.MoveToOuterDisposeScope();
    }

    /// <summary>The gradient of the range's own inputs: every chain adds to the columns it read.</summary>
    /// <param name="gradient">[rows, Y], the gradient of <see cref="Forward"/>'s result.</param>
    /// <param name="inputWidth">X.</param>
    /// <param name="earlierWidth">E.</param>
    /// <param name="weights">As in <see cref="Forward"/>; the last chain reads all of X.</param>
    /// <returns>[rows, X].</returns>
    public static Tensor InputGradient(
        Tensor gradient, long inputWidth, long earlierWidth, ReadOnlySpan<LinearWeight> weights)
    {
        using var scope = NewDisposeScope();
        var result = empty([gradient.size(0), inputWidth], dtype: gradient.dtype, device: gradient.device);
        if (MatrixProducts.AreOwn(gradient))
        {
            ChainLinearBlocks.InputGradient(result, gradient, (int)earlierWidth, weights);
            return result.MoveToOuterDisposeScope();
        }
        if (MatrixProducts.Widen(gradient))
        {
            WidenedChainLinear.InputGradient(result, gradient, earlierWidth, weights);
            return result.MoveToOuterDisposeScope();
        }
        var all = Widened(weights, gradient.dtype);
        RowShares.Run(gradient, gradient.size(0), (first, rows) =>
        {
            var end = gradient.size(1);
            for (var i = all.Length - 1; i >= 0; i--)
            {
                var weight = all[i];
                var width = weight.size(1) - earlierWidth;
                end -= weight.size(0);
                Multiply(Columns(Rows(result, first, rows), 0, width), Columns(Rows(gradient, first, rows), end, weight.size(0)),
                    Columns(weight, earlierWidth, width), adds: i < all.Length - 1);
            }
        });
        return result.MoveToOuterDisposeScope();
    }

    /// <summary>The gradients of the chains' weights.</summary>
    /// <param name="gradient">[rows, Y], the gradient of <see cref="Forward"/>'s result.</param>
    /// <param name="x">[rows, X], the range's own inputs.</param>
    /// <param name="earlier">[rows, E], or null.</param>
    /// <param name="weights">As in <see cref="Forward"/>.</param>
    /// <param name="needed">Whether a chain's gradient is wanted.</param>
    /// <returns>[Y_i, E + X_≤i] for each chain, or null where it is not wanted.</returns>
    public static Tensor?[] WeightGradients(
        Tensor gradient, Tensor x, Tensor? earlier, ReadOnlySpan<LinearWeight> weights, ReadOnlySpan<bool> needed)
    {
        using var scope = NewDisposeScope();
        var results = new Tensor?[weights.Length];
        for (var i = 0; i < weights.Length; i++)
        {
            if (needed[i])
                results[i] = empty([weights[i].Outputs, weights[i].Width], dtype: gradient.dtype, device: gradient.device).MoveToOuterDisposeScope();
        }
        if (MatrixProducts.AreOwn(x))
        {
            ChainLinearBlocks.WeightGradients(results, gradient, x, earlier, weights);
            return results;
        }
        if (MatrixProducts.Widen(x))
        {
            WidenedChainLinear.WeightGradients(results, gradient, x, earlier, weights);
            return results;
        }

        var earlierWidth = earlier?.size(1) ?? 0;
        var transposed = gradient.t();
        var products = new List<GemmOperands>();
        long start = 0;
        for (var i = 0; i < weights.Length; i++)
        {
            var (height, width) = (weights[i].Outputs, weights[i].Width - earlierWidth);
            if (results[i] is { } result)
            {
                var own = transposed.narrow(0, start, height);
                if (earlier is not null)
                    products.Add(new(Columns(result, 0, earlierWidth), own, earlier));
                products.Add(new(Columns(result, earlierWidth, width), own, Columns(x, 0, width)));
            }
            start += height;
        }
        if (products.Exists(IsNarrow) || !SmallGemm.TryRun(products))
            products.ForEach(MultiplyShares);
        return results;
    }

    // Packed ones for the time of the products alone.
    private static Tensor[] Widened(ReadOnlySpan<LinearWeight> weights, ScalarType type)
    {
        var widened = new Tensor[weights.Length];
        for (var i = 0; i < widened.Length; i++)
            widened[i] = weights[i].Widened(type);
        return widened;
    }

    // Each handle to a slice costs a call, which shows at small sizes.
    private static Tensor Columns(Tensor matrix, long start, long width) =>
        width == matrix.size(1) ? matrix : matrix.narrow(1, start, width);

    private static Tensor Rows(Tensor matrix, long first, long rows) =>
        rows == matrix.size(0) ? matrix : matrix.narrow(0, first, rows);

    private static bool IsNarrow(GemmOperands product) => IsNarrow(product.Target);

    private static bool IsNarrow(Tensor target) => target.size(0) < Few || target.size(1) < Few;

    private static void MultiplyShares(GemmOperands product) =>
        RowShares.Run(product.Target, product.Target.size(0), (first, rows) =>
            Multiply(Rows(product.Target, first, rows), Rows(product.Left, first, rows), product.Right, adds: false));

    // target = left · right, or target += left · right; its temporaries belong to the caller's scope.
    private static void Multiply(Tensor target, Tensor left, Tensor right, bool adds)
    {
        if (!IsNarrow(target))
        {
            target.addmm_(left, right, beta: adds ? 1 : 0);
            return;
        }
        var product = left.contiguous().mm(right);
        _ = adds ? target.add_(product, Scalars.One) : target.copy_(product);
    }
}
