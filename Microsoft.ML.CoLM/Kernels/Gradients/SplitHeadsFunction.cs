using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.autograd;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>What a projection computed as the heads that attention reads, rotated where there are angles, with gradients.</summary>
internal sealed class SplitHeadsFunction : SingleTensorFunction<SplitHeadsFunction>
{
    private const string Places = "places";
    private const string Shape = "shape";

    public override string Name => nameof(SplitHeadsFunction);

    /// <summary>Whether <see cref="Apply"/> can be used.</summary>
    public static bool Suits(Tensor features, Tensor? cosine) =>
        HeadsKernel.Suits(features) && (cosine is null || (cosine.dim() == 2 && cosine.dtype == features.dtype));

    /// <param name="features">[batch · length, width]; see <see cref="Suits"/>.</param>
    /// <param name="places">Where the heads stand.</param>
    /// <param name="length">Tokens of a sequence.</param>
    /// <param name="cosine">[length, d / 2]; null for no rotation.</param>
    /// <param name="sine">As the cosine.</param>
    /// <returns>[batch · groups, queries, length, d], contiguous.</returns>
    public static Tensor Apply(Tensor features, HeadPlaces places, long length, Tensor? cosine = null, Tensor? sine = null)
    {
        if (is_grad_enabled())
            return apply(features, places, length, cosine!, sine!);
        using var scope = NewDisposeScope();
        return Split(features, places, length, cosine, sine).MoveToOuterDisposeScope();
    }

    public override Tensor forward(AutogradContext ctx, params object[] vars)
    {
        var (features, places) = ((Tensor)vars[0], (HeadPlaces)vars[1]);
        var (cosine, sine) = (vars[3] as Tensor, vars[4] as Tensor);
        ctx.save_data(Places, places);
        ctx.save_data(Shape, features.shape);
        ctx.save_for_backward([cosine!, sine!]);
        return Split(features, places, (long)vars[2], cosine, sine);
    }

    // A rotation's gradient is the rotation back.
    public override List<Tensor> backward(AutogradContext ctx, Tensor grad_output) =>
        BackwardResults.Keep(grad_output, () =>
        {
            var saved = ctx.get_saved_variables();
            var features = empty((long[])ctx.get_data(Shape), dtype: grad_output.dtype);
            var gradient = grad_output.stride(3) == 1 ? grad_output : grad_output.contiguous();
            HeadsKernel.Join(features, gradient, (HeadPlaces)ctx.get_data(Places),
                saved[0] is null ? null : new HeadAngles(saved[0].contiguous(), saved[1].contiguous(), IsBack: true));
            return [features, null, null, null, null];
        });

    private static Tensor Split(Tensor features, HeadPlaces places, long length, Tensor? cosine, Tensor? sine)
    {
        if (features.stride(1) != 1)
            features = features.contiguous();
        var heads = empty([features.size(0) / length * places.Groups, places.Queries, length, places.Width], dtype: features.dtype);
        HeadsKernel.Split(features, heads, places,
            cosine is null ? null : new HeadAngles(cosine.contiguous(), sine!.contiguous()));
        return heads;
    }
}
