namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Resident memory of the process, above what it was in the beginning.</summary>
internal sealed class MemoryMeter : IDisposable
{
    /// <summary>Begins a measurement.</summary>
    public static MemoryMeter Start() => throw new NotImplementedException();

    /// <summary>Bytes at the peak since the beginning, above what there was then; at least 0.</summary>
    public long PeakAdded => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
