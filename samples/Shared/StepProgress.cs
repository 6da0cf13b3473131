using Microsoft.ML.CoLM;

namespace Samples;

/// <summary>Reports on the training thread: System.Progress would report late, and out of order.</summary>
internal sealed class StepProgress(Action<TrainingProgress> report) : IProgress<TrainingProgress>
{
    public void Report(TrainingProgress value) => report(value);
}
