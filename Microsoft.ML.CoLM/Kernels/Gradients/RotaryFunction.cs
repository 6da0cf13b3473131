using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.autograd;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Rotates pairs of features by their position's angles (half-split order), with gradients.</summary>
internal sealed class RotaryFunction : SingleTensorFunction<RotaryFunction>
{
    // Up to this width, features of one position are too few to be computed at once, and those of many positions are laid
    // beside each other: 8 wide, as in `train-step --model stories260K`, a rotation takes a fifth of the time in bfloat16 and
    // half of it in float32; 64 wide it would take twice as long.
    private const int WidestTurned = 16;
    private const int FewestTurned = 32;

    public override string Name => nameof(RotaryFunction);

    /// <param name="x">[..., length, d], in any memory order.</param>
    /// <param name="cosine">[length, d / 2].</param>
    /// <param name="sine">[length, d / 2].</param>
    /// <returns>[..., length, d], contiguous.</returns>
    public static Tensor Apply(Tensor x, Tensor cosine, Tensor sine)
    {
        if (is_grad_enabled())
            return apply(x, cosine, sine);
        using var scope = NewDisposeScope();
        return Rotate(x, cosine, sine, direction: 1).MoveToOuterDisposeScope();
    }

    public override Tensor forward(AutogradContext ctx, params object[] vars)
    {
        var (x, cosine, sine) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2]);
        ctx.save_for_backward([cosine, sine]);
        return Rotate(x, cosine, sine, direction: 1);
    }

    // A rotation's gradient is the rotation back.
    public override List<Tensor> backward(AutogradContext ctx, Tensor grad_output) =>
        BackwardResults.Keep(grad_output, () =>
        {
            var saved = ctx.get_saved_variables();
            return [Rotate(grad_output, saved[0], saved[1], direction: -1), null, null];
        });

    private static Tensor Rotate(Tensor x, Tensor cosine, Tensor sine, int direction) =>
        x.size(-1) > WidestTurned || x.size(-2) < FewestTurned
            ? Rotate(x, cosine, sine, direction, dim: -1)
            : Turned(Rotate(Turned(x), Turned(cosine), Turned(sine), direction, dim: -2));

    private static Tensor Turned(Tensor x) => x.transpose(-1, -2).contiguous();

    // Each operation rounds once: libtorch's fused ones round differently for different memory layouts, and the
    // first chain's features may not depend on how many chains stand beside it.
    private static Tensor Rotate(Tensor x, Tensor cosine, Tensor sine, int direction, int dim)
    {
        var half = x.size(dim) / 2;
        var (first, second) = (x.narrow(dim, 0, half), x.narrow(dim, half, half));
        var y = empty(x.shape, dtype: x.dtype, device: x.device);
        var sign = direction < 0 ? Scalars.MinusOne : Scalars.One;
        y.narrow(dim, 0, half).copy_(first).mul_(cosine).sub_(second.mul(sine).mul_(sign));
        y.narrow(dim, half, half).copy_(second).mul_(cosine).add_(first.mul(sine).mul_(sign), Scalars.One);
        return y;
    }
}
