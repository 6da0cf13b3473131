using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.autograd;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary><see cref="ChainLinearKernel"/> with gradients.</summary>
internal sealed class ChainLinearFunction : SingleTensorFunction<ChainLinearFunction>
{
    private const string Shape = "shape";

    public override string Name => nameof(ChainLinearFunction);

    /// <summary>As <see cref="ChainLinearKernel.Forward"/>; <paramref name="earlier"/> never gets a gradient.</summary>
    public static Tensor Apply(Tensor x, Tensor? earlier, Tensor[] weights) =>
        is_grad_enabled() ? ApplyWithGradients(x, earlier, weights) : ChainLinearKernel.Forward(x, earlier, weights);

    public override Tensor forward(AutogradContext ctx, params object[] vars)
    {
        var x = (Tensor)vars[0];
        var earlier = vars[1] as Tensor;
        var weights = Array.ConvertAll(vars[2..], weight => (Tensor)weight);

        var inputNeedsGradient = x.requires_grad;
        var needsGradient = Array.ConvertAll(weights, weight => weight.requires_grad);
        ctx.save_data(Shape, new Needs(inputNeedsGradient, needsGradient));
        ctx.save_for_backward([x, earlier!, .. weights]);
        return ChainLinearKernel.Forward(x, earlier, weights);
    }

    public override List<Tensor> backward(AutogradContext ctx, Tensor grad_output) =>
        BackwardResults.Keep(grad_output, () =>
        {
            var needs = (Needs)ctx.get_data(Shape);
            var saved = ctx.get_saved_variables();
            var (x, earlier) = (saved[0], saved[1]);
            var weights = saved.GetRange(2, saved.Count - 2).ToArray();
            var gradient = grad_output.contiguous();

            var inputGradient = needs.Input
                ? ChainLinearKernel.InputGradient(gradient, x.size(1), earlier?.size(1) ?? 0, weights)
                : null;
            return [inputGradient, null, .. ChainLinearKernel.WeightGradients(gradient, x, earlier, weights, needs.Weights)];
        });

    // Through views: what a parameter's gradient passes on its way there is a view's backward step, which hands on a tensor
    // that nobody else holds. libtorch keeps such a one; of one that we hold a handle of it would keep a copy.
    private static Tensor ApplyWithGradients(Tensor x, Tensor? earlier, Tensor[] weights)
    {
        using var scope = NewDisposeScope();
        var views = Array.ConvertAll(weights, weight => weight.requires_grad ? weight.view_as(weight) : weight);
        return apply([x, earlier!, .. views]).MoveToOuterDisposeScope();
    }

    private sealed record Needs(bool Input, bool[] Weights);
}
