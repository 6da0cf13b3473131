using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.autograd;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>silu(gate) · up, with gradients.</summary>
internal sealed class SwiGluFunction : SingleTensorFunction<SwiGluFunction>
{
    public override string Name => nameof(SwiGluFunction);

    /// <param name="gate">[rows, F], the gates of the range's chains beside each other.</param>
    /// <param name="up">[rows, F].</param>
    /// <param name="widths">F_i of the range's chains.</param>
    /// <returns>[rows, F].</returns>
    public static Tensor Apply(Tensor gate, Tensor up, long[] widths)
    {
        if (is_grad_enabled())
            return apply(gate, up, widths);
        using var scope = NewDisposeScope();
        return (SwiGluKernel.Suits(gate) ? ByKernel(gate, up) : Silu(gate, widths).mul_(up)).MoveToOuterDisposeScope();
    }

    public override Tensor forward(AutogradContext ctx, params object[] vars)
    {
        var (gate, up) = ((Tensor)vars[0], (Tensor)vars[1]);
        if (SwiGluKernel.Suits(gate))
        {
            ctx.save_for_backward([gate, up]);
            return ByKernel(gate, up);
        }
        var activated = Silu(gate, (long[])vars[2]);
        ctx.save_for_backward([gate, up, activated]);
        return activated.mul(up);
    }

    public override List<Tensor> backward(AutogradContext ctx, Tensor grad_output) =>
        BackwardResults.Keep(grad_output, () =>
        {
            var saved = ctx.get_saved_variables();
            var (gate, up) = (saved[0], saved[1]);
            if (SwiGluKernel.Suits(gate))
            {
                var (gateGradient, upGradient) = (empty(gate.shape, dtype: gate.dtype), empty(gate.shape, dtype: gate.dtype));
                SwiGluKernel.Backward(gate.contiguous(), up.contiguous(), grad_output.contiguous(), gateGradient, upGradient);
                return [gateGradient, upGradient, null];
            }
            var activated = saved[2];
            // silu'(x) = s + silu(x) · (1 - s) with s the sigmoid of x
            var sigmoid = gate.sigmoid();
            var slope = sigmoid.addcmul(activated, sigmoid.neg().add_(Scalars.One, Scalars.One), Scalars.One);
            return [slope.mul_(up).mul_(grad_output), grad_output.mul(activated), null];
        });

    private static Tensor ByKernel(Tensor gate, Tensor up)
    {
        var y = empty(gate.shape, dtype: gate.dtype, device: gate.device);
        SwiGluKernel.Forward(gate.contiguous(), up.contiguous(), y);
        return y;
    }

    // Chain by chain, each on memory of its own: libtorch's vectorised exponential differs in the last bit from the
    // one it uses at the ends of a block, so an element's value would depend on the chains beside it.
    private static Tensor Silu(Tensor gate, long[] widths)
    {
        if (widths.Length == 1)
            return nn.functional.silu(gate);
        var activated = empty_like(gate);
        long start = 0;
        foreach (var width in widths)
        {
            activated.narrow(1, start, width).copy_(nn.functional.silu(gate.narrow(1, start, width).contiguous()));
            start += width;
        }
        return activated;
    }
}
