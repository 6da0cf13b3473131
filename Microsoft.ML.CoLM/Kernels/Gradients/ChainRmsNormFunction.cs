using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.autograd;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// RMSNorm of each chain by its own mean square, y_i = w_i · x_i / sqrt(mean(x_i²) + ε), with gradients.
/// </summary>
internal sealed class ChainRmsNormFunction : SingleTensorFunction<ChainRmsNormFunction>
{
    private const string NeedsGradient = "needs gradient";

    public override string Name => nameof(ChainRmsNormFunction);

    /// <param name="x">[rows, D], the features of the range's chains beside each other.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="weights">w_i of the range's chains, [D_i].</param>
    /// <returns>[rows, D].</returns>
    public static Tensor Apply(Tensor x, double epsilon, Tensor[] weights)
    {
        if (is_grad_enabled())
            return apply([x, epsilon, .. weights]);
        using var scope = NewDisposeScope();
        return Forward(x, epsilon, weights, inverseNorms: null).MoveToOuterDisposeScope();
    }

    public override Tensor forward(AutogradContext ctx, params object[] vars)
    {
        var x = (Tensor)vars[0];
        var weights = Array.ConvertAll(vars[2..], weight => (Tensor)weight);
        var inverseNorms = new List<Tensor>();
        var y = Forward(x, (double)vars[1], weights, inverseNorms);
        ctx.save_data(NeedsGradient, Array.ConvertAll(weights, weight => weight.requires_grad));
        ctx.save_for_backward([x, .. weights, .. inverseNorms]);
        return y;
    }

    public override List<Tensor> backward(AutogradContext ctx, Tensor grad_output) =>
        BackwardResults.Keep(grad_output, () =>
        {
            var needsGradient = (bool[])ctx.get_data(NeedsGradient);
            var saved = ctx.get_saved_variables();
            var count = needsGradient.Length;
            var x = saved[0];
            var results = new Tensor?[count + 2];
            var inputGradient = empty_like(x);
            long start = 0;
            if (RmsNormKernel.Suits(x, [.. saved.GetRange(1, count)]))
            {
                (x, var gradient) = (x.contiguous(), grad_output.contiguous());
                inputGradient = empty(x.shape, dtype: x.dtype);
                for (var i = 0; i < count; i++)
                {
                    var weight = saved[1 + i];
                    results[2 + i] = needsGradient[i] ? empty(weight.shape, dtype: weight.dtype) : null;
                    RmsNormKernel.Backward(x, saved[1 + count + i], weight, start, gradient, inputGradient, results[2 + i]);
                    start += weight.size(0);
                }
                results[0] = inputGradient;
                return results;
            }
            for (var i = 0; i < count; i++)
            {
                var (weight, inverseNorm) = (saved[1 + i], saved[1 + count + i]);
                var width = weight.size(0);
                var normalised = x.narrow(1, start, width).to(float32).mul(inverseNorm);    // [rows, D_i]
                var gradient = grad_output.narrow(1, start, width).to(float32);
                if (needsGradient[i])
                    results[2 + i] = gradient.mul(normalised).sum([0]).to(weight.dtype);
                var scaled = gradient.mul(weight);
                var projection = scaled.mul(normalised).mean([1], keepdim: true);           // [rows, 1]
                scaled.addcmul_(normalised, projection, Scalars.MinusOne).mul_(inverseNorm);
                inputGradient.narrow(1, start, width).copy_(scaled);
                start += width;
            }
            results[0] = inputGradient;
            return results;
        });

    private static Tensor Forward(Tensor x, double epsilon, Tensor[] weights, List<Tensor>? inverseNorms)
    {
        if (RmsNormKernel.Suits(x, weights))
            return ByKernel(x, epsilon, weights, inverseNorms);
        var y = empty_like(x);
        using var bias = epsilon.ToScalar();
        long start = 0;
        foreach (var weight in weights)
        {
            // The mean square is taken in float32 whatever the model's type, as Hugging Face's LLaMA does.
            var own = x.narrow(1, start, weight.size(0)).to(float32);
            var inverseNorm = own.pow(Scalars.Two).mean([1], keepdim: true).add_(bias, Scalars.One).rsqrt_();  // [rows, 1]
            y.narrow(1, start, weight.size(0)).copy_(own.mul(inverseNorm)).mul_(weight);
            inverseNorms?.Add(inverseNorm);
            start += weight.size(0);
        }
        return y;
    }

    private static Tensor ByKernel(Tensor x, double epsilon, Tensor[] weights, List<Tensor>? inverseNorms)
    {
        x = x.contiguous();
        var y = empty(x.shape, dtype: x.dtype);
        long start = 0;
        foreach (var weight in weights)
        {
            var inverseNorm = empty([x.size(0), 1], dtype: float32);
            RmsNormKernel.Forward(x, y, inverseNorm, weight, start, epsilon);
            inverseNorms?.Add(inverseNorm);
            start += weight.size(0);
        }
        return y;
    }
}
