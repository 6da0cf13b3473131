using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Resident memory of the process, above what it was in the beginning.</summary>
/// <remarks>
/// What earlier work freed goes back to the system first: memory that allocators keep for the next would be used again
/// without a trace. Whatever else the process does meanwhile counts, too. Linux keeps the peak; elsewhere a timer looks at
/// what is resident, and a peak between two looks is not seen.
/// </remarks>
internal sealed class MemoryMeter : IDisposable
{
    // Seldom enough to cost nothing; an optimizer's memory, or a copied model's, is there for longer.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    private static readonly Lock Gate = new();
    private static readonly List<MemoryMeter> Running = [];

    private readonly long _start;
    private readonly bool _isKept; // the peak, by the system
    private readonly Timer? _timer;
    private long _peak;

    private MemoryMeter(bool isQuiet)
    {
        ProcessMemory.ReturnFree();
        lock (Gate)
        {
            // The system forgets the peak of all that are running.
            Running.ForEach(meter => meter.Look());
            _isKept = ProcessMemory.TryForgetPeak();
            _start = _peak = ProcessMemory.Resident;
            Running.Add(this);
        }
        if (!_isKept && !isQuiet)
            _timer = new Timer(_ => Look(), state: null, Interval, Interval);
    }

    /// <summary>Begins a measurement.</summary>
    /// <param name="isQuiet">
    /// Whether no timer is to disturb what is measured: where the system keeps no peak, what is resident in the end counts.
    /// </param>
    public static MemoryMeter Start(bool isQuiet = false) => new(isQuiet);

    /// <summary>Bytes at the peak since the beginning, above what there was then; at least 0.</summary>
    public long PeakAdded
    {
        get
        {
            lock (Gate)
            {
                if (Running.Contains(this))
                    Look();
                return Math.Max(0, _peak - _start);
            }
        }
    }

    /// <summary>Ends the measurement; <see cref="PeakAdded"/> stays what it is.</summary>
    public void Dispose()
    {
        _timer?.Dispose();
        lock (Gate)
        {
            if (!Running.Contains(this))
                return;
            Look();
            Running.Remove(this);
        }
    }

    private void Look()
    {
        lock (Gate)
            _peak = Math.Max(_peak, _isKept ? ProcessMemory.Peak : ProcessMemory.Resident);
    }
}
