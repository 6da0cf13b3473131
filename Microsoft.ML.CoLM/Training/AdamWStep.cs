using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>
/// The step of AdamW (Loshchilov and Hutter 2019), operation by operation as TorchSharp's, on weights in float32 and with
/// numbers that live as long as libtorch reads them; see <see cref="Scalars"/>.
/// </summary>
/// <param name="options">The decays; that of weights leaves out the norms.</param>
internal sealed class AdamWStep(TrainingOptions options)
{
    private const double Epsilon = 1e-8;

    /// <summary>Updates every parameter that has a gradient.</summary>
    /// <param name="parameters">The parameters, whose gradients may be spoiled.</param>
    /// <param name="rate">The step's learning rate.</param>
    /// <param name="share">What gradients are multiplied by before anything else.</param>
    /// <returns>
    /// False where a weight would not have been finite: it is as it was, and training has to end. The weights of parameters
    /// before it are the next step's.
    /// </returns>
    public bool TryTake(IEnumerable<TrainedParameter> parameters, double rate, double share)
    {
        using var noGradients = no_grad();
        using var factor = share.ToScalar();
        foreach (var parameter in parameters)
        {
            using var scope = NewDisposeScope();
            if (parameter.Gradient is { } gradient && !TryUpdate(parameter, gradient.mul_(factor), rate))
                return false;
        }
        return true;
    }

    private bool TryUpdate(TrainedParameter parameter, Tensor gradient, double rate)
    {
        parameter.Steps++;
        var correction1 = 1 - Math.Pow(options.Beta1, parameter.Steps);
        var correction2 = 1 - Math.Pow(options.Beta2, parameter.Steps);
        var weightDecay = parameter.Weights.dim() > 1 ? options.WeightDecay : 0;
        using var decay = (1 - rate * weightDecay).ToScalar();
        using var old1 = options.Beta1.ToScalar();
        using var new1 = (1 - options.Beta1).ToScalar();
        using var old2 = options.Beta2.ToScalar();
        using var new2 = (1 - options.Beta2).ToScalar();
        using var root = Math.Sqrt(correction2).ToScalar();
        using var epsilon = Epsilon.ToScalar();
        using var step = (-(rate / correction1)).ToScalar();

        parameter.Mean.mul_(old1).add_(gradient, new1);
        parameter.MeanSquare.mul_(old2).addcmul_(gradient, gradient, new2);
        var denominator = parameter.MeanSquare.sqrt().div_(root).add_(epsilon, Scalars.One);
        var weights = parameter.Weights.mul(decay).addcdiv_(parameter.Mean, denominator, step);
        // A sum is finite where all that is added up is.
        if (!double.IsFinite(weights.sum().ToDouble()))
            return false;
        parameter.Weights.copy_(weights);
        parameter.Round();
        return true;
    }
}
