using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A tuning that is ready to be trained.</summary>
/// <param name="Task">What to make small.</param>
/// <param name="Validate">Validates the model as it is; null without a validation set.</param>
/// <param name="Scoring">The task of the transformer that comes of it.</param>
/// <param name="BatchesOfEpoch">Batches of a pass over the rows.</param>
/// <param name="AddData">Adds all rows to a fingerprint.</param>
/// <param name="Resources">What is needed as long as it is trained.</param>
internal sealed record TuningRun(
    ITrainingTask Task, Func<Validation>? Validate, IScoringTask Scoring, int BatchesOfEpoch,
    Action<Fingerprint> AddData, IDisposable? Resources) : IDisposable
{
    /// <summary>The task's own head, which the transformer gets.</summary>
    public ChainHead? Head => Scoring.Head;

    public void Dispose() => Resources?.Dispose();
}
