using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.autograd;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Heads that attention computed beside each other, as a projection reads them, with gradients.</summary>
internal sealed class JoinHeadsFunction : SingleTensorFunction<JoinHeadsFunction>
{
    private const string Places = "places";
    private const string Shape = "shape";

    public override string Name => nameof(JoinHeadsFunction);

    /// <param name="heads">[batch · groups, queries, length, d]; see <see cref="HeadsKernel.Suits"/>.</param>
    /// <param name="places">Where the heads are to stand.</param>
    /// <returns>[batch · length, width], contiguous.</returns>
    public static Tensor Apply(Tensor heads, HeadPlaces places)
    {
        if (is_grad_enabled())
            return apply(heads, places);
        using var scope = NewDisposeScope();
        return Join(heads, places).MoveToOuterDisposeScope();
    }

    public override Tensor forward(AutogradContext ctx, params object[] vars)
    {
        var (heads, places) = ((Tensor)vars[0], (HeadPlaces)vars[1]);
        ctx.save_data(Places, places);
        ctx.save_data(Shape, heads.shape);
        return Join(heads, places);
    }

    public override List<Tensor> backward(AutogradContext ctx, Tensor grad_output) =>
        BackwardResults.Keep(grad_output, () =>
        {
            var heads = empty((long[])ctx.get_data(Shape), dtype: grad_output.dtype);
            HeadsKernel.Split(grad_output.stride(1) == 1 ? grad_output : grad_output.contiguous(), heads,
                (HeadPlaces)ctx.get_data(Places), angles: null);
            return [heads, null];
        });

    private static Tensor Join(Tensor heads, HeadPlaces places)
    {
        if (heads.stride(3) != 1)
            heads = heads.contiguous();
        var features = empty(
            [heads.size(0) / places.Groups * heads.size(2), (long)places.Columns.Length * places.Width], dtype: heads.dtype);
        HeadsKernel.Join(features, heads, places, angles: null);
        return features;
    }
}
