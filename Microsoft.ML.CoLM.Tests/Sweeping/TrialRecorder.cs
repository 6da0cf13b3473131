namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Keeps every trial that is reported, and does something at each, on the thread that reports.</summary>
internal sealed class TrialRecorder(Action<ChainTrial>? then = null) : IProgress<ChainTrial>
{
    public List<ChainTrial> Trials { get; } = [];

    public void Report(ChainTrial value)
    {
        Trials.Add(value);
        then?.Invoke(value);
    }
}
