namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Threads that do one piece of work together, in lockstep: for work of microseconds, where handing out tasks would cost
/// more than the work.
/// </summary>
/// <remarks>
/// The caller is the first of them. The others spin for a moment after a piece of work, since the next usually follows
/// at once, and then sleep, so that they take no core from libtorch's threads or anybody else's. The work must not throw.
/// </remarks>
internal sealed class WorkerTeam : IDisposable
{
    // About 50 microseconds of waiting for work before a thread sleeps.
    private const int SpinsBeforeSleep = 1000;

    // About 2 microseconds of waiting for the others before a thread lets them onto its core: they may have no other.
    private const int SpinsBeforeYield = 50;

    private Thread[] _threads = [];
    private readonly SemaphoreSlim _wake = new(0);
    private Action<int> _work = static _ => { };
    private volatile int _round;
    private volatile int _arrived;
    private volatile int _phase;
    private int _sleeping;
    private volatile bool _stopped;

    /// <param name="count">Threads, the caller's among them.</param>
    public WorkerTeam(int count) => Count = count;

    /// <summary>Threads, the caller's among them.</summary>
    public int Count { get; }

    /// <summary>Has every thread call the function with its number, from 0, and waits for all.</summary>
    public void Run(Action<int> work)
    {
        if (Count == 1)
        {
            work(0);
            return;
        }
        if (_threads.Length == 0)
            Start();
        _work = work;
        Interlocked.Increment(ref _round);
        var sleeping = Interlocked.Exchange(ref _sleeping, 0);
        if (sleeping > 0)
            _wake.Release(sleeping);
        work(0);
        Synchronise();
    }

    /// <summary>Waits, inside the work, until every thread has come here.</summary>
    public void Synchronise()
    {
        if (Count == 1)
            return;
        var phase = _phase;
        if (Interlocked.Increment(ref _arrived) == Count)
        {
            _arrived = 0;
            _phase = phase + 1;
            return;
        }
        for (var spins = 0; _phase == phase; spins++)
            Pause(spins);
    }

    /// <summary>This thread's share of a number of items: a run of neighbours, whole multiples of a grain.</summary>
    public (int First, int End) Share(int thread, int items, int grain = 1)
    {
        var grains = (items + grain - 1) / grain;
        var first = (int)((long)grains * thread / Count) * grain;
        var end = (int)((long)grains * (thread + 1) / Count) * grain;
        return (Math.Min(first, items), Math.Min(end, items));
    }

    public void Dispose()
    {
        if (_stopped)
            return;
        _stopped = true;
        Interlocked.Increment(ref _round);
        _wake.Release(Count);
        foreach (var thread in _threads)
            thread.Join();
        _wake.Dispose();
    }

    // At the first work, since some teams never have any.
    private void Start()
    {
        Thread[] threads = [.. Enumerable.Range(1, Count - 1).Select(index =>
            new Thread(() => Serve(index)) { IsBackground = true, Name = $"CoLM worker {index}" })];
        Array.ForEach(threads, static thread => thread.Start());
        _threads = threads;
    }

    private static void Pause(int spins)
    {
        if (spins < SpinsBeforeYield)
            Thread.SpinWait(1);
        else
            Thread.Yield();
    }

    private void Serve(int index)
    {
        var done = 0;
        while (true)
        {
            AwaitRound(done);
            if (_stopped)
                return;
            done = _round;
            _work(index);
            Synchronise();
        }
    }

    private void AwaitRound(int done)
    {
        for (var spins = 0; spins < SpinsBeforeSleep; spins++)
        {
            if (_round != done)
                return;
            Thread.SpinWait(1);
        }
        while (_round == done)
        {
            Interlocked.Increment(ref _sleeping);
            // The caller counts the sleepers after it began the round: one that slept too late sees the round here.
            if (_round != done && TryStayAwake())
                return;
            _wake.Wait();
        }
    }

    // Takes back that this thread sleeps, unless the caller has counted it and will release it.
    private bool TryStayAwake()
    {
        var sleeping = _sleeping;
        while (sleeping > 0)
        {
            var before = Interlocked.CompareExchange(ref _sleeping, sleeping - 1, sleeping);
            if (before == sleeping)
                return true;
            sleeping = before;
        }
        return false;
    }
}
