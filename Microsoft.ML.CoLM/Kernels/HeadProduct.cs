using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>What a chain adds to the logits of a head.</summary>
internal static class HeadProduct
{
    /// <summary>logits + own · headᵀ.</summary>
    /// <param name="logits">[rows, V], of the chains before; null for none.</param>
    /// <param name="own">[rows, D_i].</param>
    /// <param name="head">[V, D_i].</param>
    /// <returns>[rows, V].</returns>
    public static Tensor Add(Tensor? logits, Tensor own, Tensor head)
    {
        if (!BlockProducts.Suit(own))
            return logits?.addmm(own, head.t()) ?? own.mm(head.t());
        var product = ChainLinearFunction.Apply(own, earlier: null, [head]);
        return logits is null ? product : logits.add(product, Scalars.One);
    }

    /// <summary>As <see cref="Add"/>, in the memory of the logits; without gradients.</summary>
    /// <param name="logits">[rows, V], of the chains before; written.</param>
    /// <param name="own">[rows, D_i].</param>
    /// <param name="head">[V, D_i].</param>
    public static void AddTo(Tensor logits, Tensor own, Tensor head)
    {
        using var scope = NewDisposeScope();
        if (!BlockProducts.Suit(own))
        {
            logits.addmm_(own, head.t());
            return;
        }
        var term = new ProductTerm(MatrixView.Of(own), MatrixView.Of(head).Transposed(), (int)own.size(1));
        BlockProducts.Run([new(MatrixView.Of(logits), (int)logits.size(0), (int)logits.size(1), [term], Adds: true)]);
    }
}
