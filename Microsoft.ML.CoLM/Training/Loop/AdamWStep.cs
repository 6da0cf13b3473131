using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>
/// The step of AdamW (Loshchilov and Hutter 2019), operation by operation as TorchSharp's, on weights in float32 and with
/// numbers that live as long as libtorch reads them; see <see cref="Scalars"/>.
/// </summary>
/// <remarks>
/// On the CPU it is one walk through memory (<see cref="AdamWKernel"/>). Elsewhere large parameters are updated part by part: what
/// is computed on the way takes no memory beside what is kept.
/// </remarks>
/// <param name="options">The decays; that of weights leaves out the norms.</param>
/// <param name="elementsAtOnce">Elements of a part, and libtorch's operations on the CPU, too; null for the kernel there.</param>
internal sealed class AdamWStep(TrainingOptions options, int? elementsAtOnce = null)
{
    // A megabyte in float32: a few of these fit a cache, and libtorch's calls take no time beside the work.
    private const int ElementsAtOnce = 1 << 18;

    private const double Epsilon = 1e-8;

    /// <summary>Updates every parameter that has a gradient.</summary>
    /// <param name="parameters">The parameters, whose gradients may be spoiled.</param>
    /// <param name="rate">The step's learning rate, of which each parameter has its own multiple.</param>
    /// <param name="share">What gradients are multiplied by before anything else.</param>
    /// <returns>
    /// False where a weight would not have been finite: it is as it was, and training has to end. Other weights may be the next
    /// step's.
    /// </returns>
    public bool TryTake(IEnumerable<TrainedParameter> parameters, double rate, double share)
    {
        using var noGradients = no_grad();
        foreach (var parameter in parameters)
        {
            using var scope = NewDisposeScope();
            if (parameter.StoredGradient is { } gradient && !TryUpdate(parameter, gradient, share, rate * parameter.RateFactor))
                return false;
        }
        return true;
    }

    private bool TryUpdate(TrainedParameter parameter, Tensor gradient, double share, double rate)
    {
        parameter.Steps++;
        var correction1 = 1 - Math.Pow(options.Beta1, parameter.Steps);
        var correction2 = 1 - Math.Pow(options.Beta2, parameter.Steps);
        var weightDecay = parameter.Weights.dim() > 1 ? options.WeightDecay : 0;
        if (elementsAtOnce is null && AdamWKernel.Suits(parameter.Weights, gradient))
        {
            return AdamWKernel.TryUpdate(parameter.Weights, parameter.Mean, parameter.MeanSquare, gradient.contiguous(),
                parameter.Rounded, new(
                    (float)share, (float)options.Beta1, (float)(1 - options.Beta1), (float)options.Beta2, (float)(1 - options.Beta2),
                    (float)Math.Sqrt(correction2), (float)Epsilon, (float)(1 - rate * weightDecay), (float)-(rate / correction1)));
        }
        using var factor = share.ToScalar();
        using var decay = (1 - rate * weightDecay).ToScalar();
        using var old1 = options.Beta1.ToScalar();
        using var new1 = (1 - options.Beta1).ToScalar();
        using var old2 = options.Beta2.ToScalar();
        using var new2 = (1 - options.Beta2).ToScalar();
        using var root = Math.Sqrt(correction2).ToScalar();
        using var epsilon = Epsilon.ToScalar();
        using var step = (-(rate / correction1)).ToScalar();

        var most = elementsAtOnce ?? ElementsAtOnce;
        if (gradient.numel() <= most)
        {
            if (!TryUpdatePart(parameter.Weights, parameter.Mean, parameter.MeanSquare, gradient))
                return false;
            parameter.Round();
            return true;
        }
        var (weights, mean) = (parameter.Weights.view(-1), parameter.Mean.view(-1));
        var (meanSquare, gradients) = (parameter.MeanSquare.view(-1), gradient.reshape(-1));
        for (var first = 0L; first < gradients.numel(); first += most)
        {
            using var scope = NewDisposeScope();
            if (!TryUpdatePart(Part(weights), Part(mean), Part(meanSquare), Part(gradients)))
                return false;

            Tensor Part(Tensor whole) => whole.narrow(0, first, Math.Min(most, whole.numel() - first));
        }
        parameter.Round();
        return true;

        bool TryUpdatePart(Tensor weights, Tensor mean, Tensor meanSquare, Tensor gradient)
        {
            gradient = gradient.to(weights.dtype).mul_(factor);
            mean.mul_(old1).add_(gradient, new1);
            meanSquare.mul_(old2).addcmul_(gradient, gradient, new2);
            var denominator = meanSquare.sqrt().div_(root).add_(epsilon, Scalars.One);
            var next = weights.mul(decay).addcdiv_(mean, denominator, step);
            // A sum is finite where all that is added up is.
            if (!double.IsFinite(Scalars.Read(next.sum())))
                return false;
            weights.copy_(next);
            return true;
        }
    }
}
