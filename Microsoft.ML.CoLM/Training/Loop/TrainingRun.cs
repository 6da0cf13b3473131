using System.Diagnostics;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Where a training is: what a checkpoint keeps.</summary>
/// <param name="parameters">What is trained, disposed with this.</param>
/// <param name="best">The best validation, disposed with this.</param>
internal sealed class TrainingRun(IReadOnlyList<TrainedParameter> parameters, BestState best) : IDisposable
{
    private TimeSpan _before;

    public IReadOnlyList<TrainedParameter> Parameters => parameters;

    public BestState Best => best;

    /// <summary>Steps done.</summary>
    public int Step { get; set; }

    /// <summary>Tokens trained on.</summary>
    public long Tokens { get; set; }

    /// <summary>The last step's loss.</summary>
    public double Loss { get; set; } = double.NaN;

    /// <summary>The last validation.</summary>
    public Validation Found { get; set; } = Validation.None;

    /// <summary>Runs while steps are done.</summary>
    public Stopwatch Clock { get; } = new();

    /// <summary>Time spent on steps, before the training was resumed, too.</summary>
    public TimeSpan Elapsed => _before + Clock.Elapsed;

    /// <summary>The norm of the gradients of all parameters together.</summary>
    public double GradientNorm()
    {
        using var scope = NewDisposeScope();
        var squares = 0.0;
        List<Tensor> norms = [];
        foreach (var parameter in parameters)
        {
            using var own = NewDisposeScope();
            if (parameter.StoredGradient is not { } gradient)
                continue;
            if (AdamWKernel.Suits(parameter.Weights, gradient))
                squares += AdamWKernel.SumOfSquares(gradient.contiguous());
            else
                norms.Add(parameter.Gradient!.norm().MoveToOuterDisposeScope());
        }
        if (norms.Count > 0)
            squares += Math.Pow(Scalars.Read(stack(norms).norm()), 2);
        return Math.Sqrt(squares);
    }

    /// <summary>Adds the gradients of one of several passes to those before it.</summary>
    public void AddUpGradients()
    {
        foreach (var parameter in parameters)
            parameter.AddUpGradient();
    }

    /// <summary>Frees the last step's gradients.</summary>
    public void ForgetGradients()
    {
        foreach (var parameter in parameters)
            parameter.ForgetGradient();
    }

    /// <summary>Goes to where a checkpoint was; its tensors are read elsewhere.</summary>
    public void Restore(CheckpointRecord record)
    {
        (Step, Tokens, Loss, Found) = (record.GlobalStep, record.NumInputTokensSeen, record.Loss, record.Validation);
        _before = TimeSpan.FromSeconds(record.TrainRuntime);
        best.Restore(record.BestGlobalStep, record.BestValidation, record.ValidationsWithoutBest);
    }

    public void Dispose()
    {
        foreach (var parameter in parameters)
            parameter.Dispose();
        best.Dispose();
    }
}
