using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>What a chain adds to the logits of a head.</summary>
internal static class HeadGemm
{
    /// <summary>logits + own · headᵀ.</summary>
    /// <param name="logits">[rows, V], of the chains before; null for none.</param>
    /// <param name="own">[rows, D_i].</param>
    /// <param name="head">[V, D_i].</param>
    /// <returns>[rows, V].</returns>
    public static Tensor Add(Tensor? logits, Tensor own, LinearWeight head)
    {
        if (!MatrixProducts.AreOwn(own) && !MatrixProducts.Widen(own))
        {
            using var scope = NewDisposeScope();
            var transposed = head.Widened(own.dtype).t();
            return (logits?.addmm(own, transposed) ?? own.mm(transposed)).MoveToOuterDisposeScope();
        }
        var product = ChainLinearFunction.Apply(own, earlier: null, [head]);
        return logits is null ? product : logits.add(product, Scalars.One);
    }

    /// <summary>As <see cref="Add"/>, without gradients, and in the memory of the logits where there are some.</summary>
    public static Tensor AddOver(Tensor? logits, Tensor own, LinearWeight head)
    {
        using var scope = NewDisposeScope();
        if (MatrixProducts.Widen(own))
        {
            var product = ChainLinearKernel.Forward(own, earlier: null, [head]);
            return logits?.add_(product, Scalars.One) ?? product.MoveToOuterDisposeScope();
        }
        if (!MatrixProducts.AreOwn(own))
        {
            var transposed = head.Widened(own.dtype).t();
            return logits?.addmm_(own, transposed, beta: 1, alpha: 1) ?? own.mm(transposed).MoveToOuterDisposeScope();
        }
        var sum = logits ?? empty(own.size(0), head.Outputs, dtype: own.dtype).MoveToOuterDisposeScope();
        var term = new GemmTerm(MatrixView.Of(own), head.View().Transposed(), (int)own.size(1));
        BatchedGemm.Run([new(MatrixView.Of(sum), (int)sum.size(0), (int)sum.size(1), [term], Adds: logits is not null)]);
        return sum;
    }

    /// <summary>
    /// As <see cref="Add"/>, in the memory of the logits, which are float32 whatever the others are: in bfloat16, likely tokens
    /// would often be equally likely. Without gradients.
    /// </summary>
    /// <param name="logits">[rows, V], float32; written.</param>
    /// <param name="own">[rows, D_i].</param>
    /// <param name="head">[V, D_i], of the same type.</param>
    /// <param name="adds">Whether to add to the logits, or to replace them.</param>
    public static void AddTo(Tensor logits, Tensor own, LinearWeight head, bool adds)
    {
        using var scope = NewDisposeScope();
        if (MatrixProducts.AreOwn(own) || (own is { dtype: ScalarType.BFloat16, device_type: DeviceType.CPU } && !MatrixProducts.Widen(own)))
        {
            var term = new GemmTerm(MatrixView.Of(own), head.View().Transposed(), (int)own.size(1));
            BatchedGemm.Run([new(MatrixView.Of(logits), (int)logits.size(0), (int)logits.size(1), [term], adds)]);
            return;
        }
        var parts = own.dtype == ScalarType.Float32 ? [(First: 0L, Count: head.Outputs)] : head.PartsToWiden();
        own = own.to(ScalarType.Float32);
        foreach (var (first, count) in parts)
        {
            using var part = NewDisposeScope();
            logits.narrow(1, first, count).addmm_(own, head.Widened(ScalarType.Float32, first, count).t(), beta: adds ? 1 : 0);
        }
    }
}
