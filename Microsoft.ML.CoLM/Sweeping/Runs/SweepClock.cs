using System.Diagnostics;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Ends a sweep: by its limit of time, by its caller, or by ML.NET.</summary>
internal sealed class SweepClock : IDisposable
{
    private readonly IHostEnvironment _environment;
    private readonly double? _limit;
    private readonly CancellationToken _callers;
    private readonly CancellationTokenSource _source;
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly double _before;
    private volatile string? _end;

    /// <param name="environment">Whose execution can be cancelled.</param>
    /// <param name="limit">Seconds that the sweep may take, over all its runs; null for any.</param>
    /// <param name="before">Seconds that earlier runs of it took, and this one so far.</param>
    /// <param name="callersToken">Cancels the sweep.</param>
    public SweepClock(IHostEnvironment environment, double? limit, double before, CancellationToken callersToken)
    {
        (_environment, _limit, _before, _callers) = (environment, limit, before, callersToken);
        _source = CancellationTokenSource.CreateLinkedTokenSource(callersToken);
        CancelAfter(_source, limit - before);
    }

    /// <summary>Ends with the sweep.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Seconds of this run and of earlier ones.</summary>
    public double Elapsed => _before + Stopwatch.GetElapsedTime(_start).TotalSeconds;

    public bool IsOver => _source.IsCancellationRequested || HostSettings.IsCancelled(_environment);

    /// <summary>Why it is over.</summary>
    public string Reason => _end is { } end ? end
        : _callers.IsCancellationRequested ? "The sweep was cancelled."
        : HostSettings.IsCancelled(_environment) ? "The MLContext's execution was cancelled."
        : FormattableString.Invariant($"The sweep's limit of {_limit} s ({nameof(ChainSweep.SetTrainingTimeInSeconds)}) was reached.");

    /// <summary>Ends the sweep, as another rank says.</summary>
    public void End(string reason)
    {
        if (IsOver)
            return;
        _end = reason;
        _source.Cancel();
    }

    public TrialClock StartTrial(double? limit) => new(this, limit);

    public void Dispose() => _source.Dispose();

    internal static void CancelAfter(CancellationTokenSource source, double? seconds)
    {
        if (seconds is not { } limit)
            return;
        if (limit <= 0)
            source.Cancel();
        else if (limit < int.MaxValue / 1000) // 24 days; a timer knows no more
            source.CancelAfter(TimeSpan.FromSeconds(limit));
    }
}
