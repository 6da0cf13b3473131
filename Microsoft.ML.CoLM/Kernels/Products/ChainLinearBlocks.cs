using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary><see cref="ChainLinearKernel"/>'s products by <see cref="BatchedGemm"/>, all of a call at once.</summary>
internal static class ChainLinearBlocks
{
    /// <summary>As <see cref="ChainLinearKernel.Forward"/>.</summary>
    /// <param name="y">[rows, Y], written.</param>
    /// <param name="x">[rows, X].</param>
    /// <param name="earlier">[rows, E], or null.</param>
    /// <param name="weights">[Y_i, E + X_≤i] each.</param>
    public static void Forward(Tensor y, Tensor x, Tensor? earlier, ReadOnlySpan<LinearWeight> weights)
    {
        var (rows, earlierWidth) = ((int)x.size(0), (int)(earlier?.size(1) ?? 0));
        var (target, own) = (MatrixView.Of(y), MatrixView.Of(x));
        var before = earlier is null ? default : MatrixView.Of(earlier);
        var blocks = new TargetBlock[weights.Length];
        for (var i = 0; i < weights.Length; i++)
        {
            var (height, width) = ((int)weights[i].Outputs, (int)weights[i].Width);
            var weight = weights[i].View();
            var term = new GemmTerm(own, weight.FromColumn(earlierWidth).Transposed(), width - earlierWidth);
            blocks[i] = new(target, rows, height,
                earlier is null ? [term] : [new(before, weight.Transposed(), earlierWidth), term]);
            target = target.FromColumn(height);
        }
        BatchedGemm.Run(blocks);
    }

    /// <summary>As <see cref="ChainLinearKernel.InputGradient"/>.</summary>
    /// <param name="result">[rows, X], written.</param>
    /// <param name="gradient">[rows, Y].</param>
    /// <param name="earlierWidth">E.</param>
    /// <param name="weights">[Y_i, E + X_≤i] each; the last chain reads all of X.</param>
    public static void InputGradient(Tensor result, Tensor gradient, int earlierWidth, ReadOnlySpan<LinearWeight> weights)
    {
        var (rows, own) = ((int)gradient.size(0), MatrixView.Of(gradient));
        var terms = new GemmTerm[weights.Length];
        for (var (i, start) = (0, 0); i < weights.Length; i++)
        {
            var height = (int)weights[i].Outputs;
            terms[i] = new(own.FromColumn(start), weights[i].View().FromColumn(earlierWidth), height);
            start += height;
        }

        // A chain's inputs are read by it and by those behind it.
        var target = MatrixView.Of(result);
        var blocks = new TargetBlock[weights.Length];
        for (var (i, start) = (0, 0); i < weights.Length; i++)
        {
            var end = (int)weights[i].Width - earlierWidth;
            var first = start;
            blocks[i] = new(target.FromColumn(start), rows, end - start,
                Array.ConvertAll(terms[i..], term => term with { Right = term.Right.FromColumn(first) }));
            start = end;
        }
        BatchedGemm.Run(blocks);
    }

    /// <summary>As <see cref="ChainLinearKernel.WeightGradients"/>.</summary>
    /// <param name="results">[Y_i, E + X_≤i] each, written; null where none is wanted.</param>
    /// <param name="gradient">[rows, Y].</param>
    /// <param name="x">[rows, X].</param>
    /// <param name="earlier">[rows, E], or null.</param>
    /// <param name="weights">[Y_i, E + X_≤i] each.</param>
    public static void WeightGradients(
        Tensor?[] results, Tensor gradient, Tensor x, Tensor? earlier, ReadOnlySpan<LinearWeight> weights)
    {
        var (rows, earlierWidth) = ((int)x.size(0), (int)(earlier?.size(1) ?? 0));
        var (transposed, own) = (MatrixView.Of(gradient).Transposed(), MatrixView.Of(x));
        var before = earlier is null ? default : MatrixView.Of(earlier);
        var blocks = new List<TargetBlock>();
        for (var i = 0; i < weights.Length; i++)
        {
            var height = (int)weights[i].Outputs;
            if (results[i] is { } result)
            {
                var target = MatrixView.Of(result);
                if (earlier is not null)
                    blocks.Add(new(target, height, earlierWidth, [new(transposed, before, rows)]));
                blocks.Add(new(target.FromColumn(earlierWidth), height, (int)weights[i].Width - earlierWidth,
                    [new(transposed, own, rows)]));
            }
            transposed = transposed.FromRow(height);
        }
        BatchedGemm.Run(blocks);
    }
}
