namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Lets a rank measure latency while the others rest: they may share its machine.</summary>
internal abstract class MeasuringTurn
{
    private bool _isTaken;

    /// <summary>Waits until all others rest, unless that is so already; the trial's own time stands still meanwhile.</summary>
    /// <exception cref="OperationCanceledException">The sweep ended meanwhile.</exception>
    public void Take(TrialClock clock)
    {
        if (_isTaken)
            return;
        _isTaken = true;
        clock.Pause();
        try
        {
            while (!TryTake())
            {
                clock.ThrowIfStopped();
                Thread.Sleep(RankLink.Between);
            }
        }
        finally
        {
            clock.Resume();
        }
    }

    /// <summary>Lets the others go on; nothing where no turn was taken.</summary>
    public void Give()
    {
        if (!_isTaken)
            return;
        _isTaken = false;
        GiveBack();
    }

    protected abstract bool TryTake();

    protected abstract void GiveBack();
}
