namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Keeps every report, and does something at each, on the thread that reports.</summary>
internal sealed class Recorder(Action<TrainingProgress>? then = null) : IProgress<TrainingProgress>
{
    public List<TrainingProgress> Reports { get; } = [];

    public void Report(TrainingProgress value)
    {
        Reports.Add(value);
        then?.Invoke(value);
    }
}
