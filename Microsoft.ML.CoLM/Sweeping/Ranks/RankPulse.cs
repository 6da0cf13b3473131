namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>A thread that asks rank 0 whether the sweep goes on, while another tries candidates.</summary>
internal sealed class RankPulse : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    private readonly ManualResetEventSlim _isOver = new();
    private readonly Thread _thread;

    public RankPulse(RankLink link, SweepClock clock, int rank)
    {
        _thread = new(() =>
        {
            while (!_isOver.Wait(Interval))
            {
                try
                {
                    Tell(link, clock, rank);
                }
                catch (CommunicatorException)
                {
                    return; // the link throws it again to whoever asks next
                }
            }
        })
        { IsBackground = true, Name = "Sweep's pulse" };
        _thread.Start();
    }

    /// <summary>Tells rank 0 whether this rank was cancelled, and hears whether the sweep goes on.</summary>
    public static void Tell(RankLink link, SweepClock clock, int rank) =>
        link.AskOf(RankQuestion.GoesOn, clock.IsOver ? FormattableString.Invariant($"Rank {rank}: {clock.Reason}") : "");

    public void Dispose()
    {
        _isOver.Set();
        _thread.Join();
        _isOver.Dispose();
    }
}
