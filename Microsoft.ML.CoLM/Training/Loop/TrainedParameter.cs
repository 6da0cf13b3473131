using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>
/// A parameter that is trained: its weights, its gradient and what AdamW keeps of it are in float32, whatever its own type
/// is (Micikevicius et al. 2018, section 3.1). In bfloat16, whose numbers have 8 bits, a small step would change nothing.
/// </summary>
/// <remarks>The model computes with the parameter, which is the weights' rounded copy; in float32 it is the weights.</remarks>
internal sealed class TrainedParameter : IDisposable
{
    private Tensor? _sum;

    /// <param name="parameter">The parameter, which stays the model's.</param>
    /// <param name="rateFactor">What the step's learning rate is multiplied by for it.</param>
    public TrainedParameter(Parameter parameter, double rateFactor = 1)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        (Parameter, RateFactor) = (parameter, rateFactor);
        Weights = IsRounded ? parameter.to(float32).DetachFromDisposeScope() : parameter;
        Mean = zeros_like(Weights).DetachFromDisposeScope();
        MeanSquare = zeros_like(Weights).DetachFromDisposeScope();
    }

    /// <summary>Several of them; none keeps memory where there is not enough for all.</summary>
    public static TrainedParameter[] Of(IReadOnlyList<Parameter> parameters, Func<Parameter, double> rateFactor)
    {
        List<TrainedParameter> trained = [];
        try
        {
            foreach (var parameter in parameters)
                trained.Add(new TrainedParameter(parameter, rateFactor(parameter)));
            return [.. trained];
        }
        catch
        {
            trained.ForEach(parameter => parameter.Dispose());
            throw;
        }
    }

    public Parameter Parameter { get; }

    /// <summary>What the step's learning rate is multiplied by.</summary>
    public double RateFactor { get; }

    /// <summary>What AdamW changes.</summary>
    public Tensor Weights { get; }

    /// <summary>The weights' rounded copy; null where the model computes with the weights themselves.</summary>
    public Tensor? Rounded => IsRounded ? Parameter : null;

    /// <summary>AdamW's mean gradient.</summary>
    public Tensor Mean { get; }

    /// <summary>AdamW's mean squared gradient.</summary>
    public Tensor MeanSquare { get; }

    /// <summary>How often AdamW has changed the weights.</summary>
    public long Steps { get; set; }

    /// <summary>
    /// The step's gradient, in float32; the caller's scope frees it. Null where no pass gave one.
    /// </summary>
    public Tensor? Gradient => Exact(StoredGradient);

    /// <summary>The same in the type that it is kept in: the parameter's where there was one pass.</summary>
    public Tensor? StoredGradient => _sum?.alias() ?? Parameter.grad;

    private bool IsRounded => Parameter.dtype.ElementSize() < sizeof(float);

    /// <summary>
    /// Adds the gradient of one of several passes to those before it. (In float32 libtorch has done so.)
    /// </summary>
    public void AddUpGradient()
    {
        using var scope = NewDisposeScope();
        if (!IsRounded || Exact(Parameter.grad) is not { } gradient)
            return;
        if (_sum is null)
            _sum = gradient.DetachFromDisposeScope();
        else
            _sum.add_(gradient, Kernels.Scalars.One);
        Parameter.grad = null;
    }

    /// <summary>
    /// The step's gradient in float32 and in memory of its own, to be added to in place; zeros where no pass gave one.
    /// </summary>
    public Tensor SummedGradient()
    {
        AddUpGradient();
        if (StoredGradient is { } gradient)
            return gradient;
        using var noGradients = no_grad();
        if (IsRounded)
            _sum = zeros_like(Weights).DetachFromDisposeScope();
        else
            Parameter.grad = zeros_like(Weights);
        return StoredGradient!;
    }

    /// <summary>Frees the step's gradient.</summary>
    public void ForgetGradient()
    {
        _sum?.Dispose();
        _sum = null;
        Parameter.grad = null;
    }

    /// <summary>Gives the model weights that were changed.</summary>
    public void Round()
    {
        if (!IsRounded)
            return;
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        Parameter.copy_(Weights);
    }

    public void Dispose()
    {
        ForgetGradient();
        Mean.Dispose();
        MeanSquare.Dispose();
        if (IsRounded)
            Weights.Dispose();
    }

    private Tensor? Exact(Tensor? gradient) => IsRounded ? gradient?.to(float32) : gradient;
}
