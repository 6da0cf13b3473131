using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>
/// The step of TorchSharp's AdamW (Loshchilov and Hutter 2019), operation by operation on the optimizer's own state, with
/// numbers that live as long as libtorch reads them; see <see cref="Scalars"/>.
/// </summary>
/// <param name="optimizer">The optimizer, whose parameters are complete; it is not disposed.</param>
internal sealed class AdamWStep(AdamW optimizer)
{
    private readonly Dictionary<Parameter, AdamW.State> _states = CheckpointTensors.StatesOf(optimizer);

    /// <summary>Updates every parameter that has a gradient.</summary>
    public void Take()
    {
        using var noGradients = no_grad();
        foreach (var group in optimizer.ParamGroups.Cast<AdamW.ParamGroup>())
        {
            foreach (var parameter in group.Parameters)
            {
                using var scope = NewDisposeScope();
                if (parameter.grad is { } gradient)
                    Update(parameter, gradient, _states[parameter], (AdamW.Options)group.Options);
            }
        }
    }

    private static void Update(Parameter parameter, Tensor gradient, AdamW.State state, AdamW.Options options)
    {
        var (beta1, beta2, rate) = (options.beta1!.Value, options.beta2!.Value, options.LearningRate!.Value);
        state.step++;
        var correction1 = 1 - Math.Pow(beta1, state.step);
        var correction2 = 1 - Math.Pow(beta2, state.step);
        using var decay = (1 - rate * options.weight_decay!.Value).ToScalar();
        using var old1 = beta1.ToScalar();
        using var new1 = (1 - beta1).ToScalar();
        using var old2 = beta2.ToScalar();
        using var new2 = (1 - beta2).ToScalar();
        using var root = Math.Sqrt(correction2).ToScalar();
        using var epsilon = options.eps!.Value.ToScalar();
        using var step = (-(rate / correction1)).ToScalar();

        parameter.mul_(decay);
        state.exp_avg.mul_(old1).add_(gradient, new1);
        state.exp_avg_sq.mul_(old2).addcmul_(gradient, gradient, new2);
        var denominator = state.exp_avg_sq.sqrt().div_(root).add_(epsilon, Scalars.One);
        parameter.addcdiv_(state.exp_avg, denominator, step);
    }
}
