using System.Diagnostics;
using TorchSharp.Modules;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Where a training is, beside the parameters: what a checkpoint keeps.</summary>
/// <param name="optimizer">The optimizer, disposed with this.</param>
/// <param name="best">The best validation, disposed with this.</param>
internal sealed class TrainingRun(AdamW optimizer, BestState best) : IDisposable
{
    private readonly AdamWStep _update = new(optimizer);
    private TimeSpan _before;

    public AdamW Optimizer => optimizer;

    public BestState Best => best;

    /// <summary>Steps done.</summary>
    public int Step { get; set; }

    /// <summary>Tokens trained on.</summary>
    public long Tokens { get; set; }

    /// <summary>The last step's loss.</summary>
    public double Loss { get; set; } = double.NaN;

    /// <summary>The last validation.</summary>
    public Validation Found { get; set; } = Validation.None;

    /// <summary>The random state with which the next step begins.</summary>
    public byte[] RandomState { get; set; } = [];

    /// <summary>Runs while steps are done.</summary>
    public Stopwatch Clock { get; } = new();

    /// <summary>Time spent on steps, before the training was resumed, too.</summary>
    public TimeSpan Elapsed => _before + Clock.Elapsed;

    /// <summary>Takes the optimizer's step by the parameters' gradients.</summary>
    public void UpdateParameters() => _update.Take();

    /// <summary>Goes to where a checkpoint was; its tensors are read elsewhere.</summary>
    public void Restore(CheckpointRecord record)
    {
        (Step, Tokens, Loss, Found) = (record.GlobalStep, record.NumInputTokensSeen, record.Loss, record.Validation);
        _before = TimeSpan.FromSeconds(record.TrainRuntime);
        best.Restore(record.BestGlobalStep, record.BestValidation, record.ValidationsWithoutBest);
    }

    public void Dispose()
    {
        optimizer.Dispose();
        best.Dispose();
    }
}
