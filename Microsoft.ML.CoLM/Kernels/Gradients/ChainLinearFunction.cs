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
        Apply(x, earlier, Array.ConvertAll(weights, weight => new LinearWeight(weight)));

    /// <inheritdoc cref="Apply(Tensor, Tensor?, Tensor[])"/>
    public static Tensor Apply(Tensor x, Tensor? earlier, LinearWeight[] weights) =>
        is_grad_enabled() ? ApplyWithGradients(x, earlier, weights) : ChainLinearKernel.Forward(x, earlier, weights);

    public override Tensor forward(AutogradContext ctx, params object[] vars)
    {
        var x = (Tensor)vars[0];
        var earlier = vars[1] as Tensor;
        var packed = Array.ConvertAll(vars[2..], weight => weight as LinearWeight);
        var weights = Array.ConvertAll(vars[2..], LinearWeight.OfInput);

        ctx.save_data(Shape, new Needs(x.requires_grad, Array.ConvertAll(weights, weight => weight.NeedsGradient), packed));
        ctx.save_for_backward([x, earlier!, .. weights.Select(weight => weight.Numbers!)]);
        return ChainLinearKernel.Forward(x, earlier, weights);
    }

    public override List<Tensor> backward(AutogradContext ctx, Tensor grad_output) =>
        BackwardResults.Keep(grad_output, () =>
        {
            var needs = (Needs)ctx.get_data(Shape);
            var saved = ctx.get_saved_variables();
            var (x, earlier) = (saved[0], saved[1]);
            LinearWeight[] weights = [.. needs.Packed.Select((packed, i) => packed ?? new(saved[i + 2]))];
            var gradient = grad_output.contiguous();

            var inputGradient = needs.Input
                ? ChainLinearKernel.InputGradient(gradient, x.size(1), earlier?.size(1) ?? 0, weights)
                : null;
            return [inputGradient, null, .. ChainLinearKernel.WeightGradients(gradient, x, earlier, weights, needs.Weights)];
        });

    // Through views: what a parameter's gradient passes on its way there is a view's backward step, which hands on a tensor
    // that nobody else holds. libtorch keeps such a one; of one that we hold a handle of it would keep a copy.
    private static Tensor ApplyWithGradients(Tensor x, Tensor? earlier, LinearWeight[] weights)
    {
        using var scope = NewDisposeScope();
        return apply([x, earlier!, .. LinearWeight.Inputs(weights)]).MoveToOuterDisposeScope();
    }

    /// <param name="Input">Whether the input needs a gradient.</param>
    /// <param name="Weights">Whether each weight does.</param>
    /// <param name="Packed">The weights that are packed, which libtorch does not know; null where one is a tensor.</param>
    private sealed record Needs(bool Input, bool[] Weights, LinearWeight?[] Packed);
}
