using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A tuning whose rows are read, ready to be trained.</summary>
/// <param name="Objective">What to make small.</param>
/// <param name="Validate">Validates the model as it is; null without a validation set.</param>
/// <param name="Scorer">What the transformer that comes of it scores by.</param>
/// <param name="AddData">Adds all rows to a fingerprint.</param>
/// <param name="Resources">What is needed as long as it is trained.</param>
internal sealed record TuningRun(
    BatchObjective Objective, Func<Validation>? Validate, RowScorer Scorer, Action<Fingerprint> AddData,
    IDisposable? Resources) : IDisposable
{
    /// <summary>The task's own head, which the transformer gets.</summary>
    public ChainHead? Head => Scorer.Head;

    /// <summary>Batches of a pass over the rows, at least one.</summary>
    public int BatchesOfEpoch => (int)Math.Clamp(Objective.BatchesOf(1), 1, int.MaxValue);

    public void Dispose() => Resources?.Dispose();
}
