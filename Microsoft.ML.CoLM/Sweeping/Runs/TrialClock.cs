using System.Diagnostics;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Ends a trial: by its own limit of time, or with the sweep.</summary>
internal sealed class TrialClock : IDisposable
{
    private readonly SweepClock _sweep;
    private readonly double? _limit;
    private readonly CancellationTokenSource _source;
    private long _start = Stopwatch.GetTimestamp();
    private double? _left;

    public TrialClock(SweepClock sweep, double? limit)
    {
        (_sweep, _limit, _left) = (sweep, limit, limit);
        _source = CancellationTokenSource.CreateLinkedTokenSource(sweep.Token);
        Token = _source.Token;
        SweepClock.CancelAfter(_source, limit);
    }

    /// <summary>Ends with the trial; ML.NET's own cancellation comes beside it.</summary>
    public CancellationToken Token { get; }

    public bool IsStopped => _source.IsCancellationRequested || _sweep.IsOver;

    /// <summary>Whether all of the sweep is to end, and not the trial alone.</summary>
    public bool IsSweepOver => _sweep.IsOver;

    /// <summary>Why it is stopped.</summary>
    public string Reason => _sweep.IsOver ? _sweep.Reason
        : FormattableString.Invariant($"The trial's limit of {_limit} s ({nameof(ChainSweep.SetTrialTimeInSeconds)}) was reached.");

    /// <summary>Stops the trial's own time while others are waited for; the sweep's goes on.</summary>
    public void Pause()
    {
        _left -= Stopwatch.GetElapsedTime(_start).TotalSeconds;
        if (_left is not null)
            _source.CancelAfter(Timeout.InfiniteTimeSpan);
    }

    /// <summary>Lets the time go on.</summary>
    public void Resume()
    {
        _start = Stopwatch.GetTimestamp();
        SweepClock.CancelAfter(_source, _left);
    }

    /// <exception cref="OperationCanceledException">The trial is stopped.</exception>
    public void ThrowIfStopped()
    {
        if (IsStopped)
            throw new OperationCanceledException(Reason);
    }

    /// <summary>Rows whose reading ends with the trial.</summary>
    public IDataView Stoppable(IDataView rows) => new StoppableDataView(rows, ThrowIfStopped);

    public void Dispose() => _source.Dispose();
}
