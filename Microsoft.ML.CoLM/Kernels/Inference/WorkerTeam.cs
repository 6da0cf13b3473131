using System.Runtime.ExceptionServices;
using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Threads that do one piece of work together, in lockstep: for work of microseconds, where handing out tasks would cost
/// more than the work.
/// </summary>
/// <remarks>
/// The caller is the first of them. The others spin for a moment after a piece of work, since the next usually follows
/// at once, and then sleep, so that they take no core from libtorch's threads or anybody else's. Where a thread's work
/// throws, those that wait for it inside theirs give up, and the caller gets the first exception when all are done.
/// </remarks>
internal sealed class WorkerTeam : IDisposable
{
    // About 50 microseconds of waiting for work before a thread sleeps.
    private const int SpinsBeforeSleep = 1000;

    // About 2 microseconds of waiting for the others before a thread lets them onto its core: they may have no other.
    private const int SpinsBeforeYield = 50;

    private static readonly Action<int> None = static _ => { };

    // The team whose work this thread does.
    [ThreadStatic]
    private static WorkerTeam? _current;

    private readonly Lifetime _lifetime;
    private readonly Lock _callers = new();
    private readonly List<Thread> _threads = [];
    private readonly SemaphoreSlim _wake = new(0);
    private Action<int> _work = None;
    private ExceptionDispatchInfo? _failure;
    private volatile int _round;
    private volatile int _arrived;
    private volatile int _phase;
    private volatile int _done;
    private int _sleeping;
    private volatile bool _stopped;

    /// <param name="count">Threads, the caller's among them.</param>
    public WorkerTeam(int count)
    {
        Count = count;
        _lifetime = new Lifetime(this, Stop);
    }

    /// <summary>Threads, the caller's among them.</summary>
    public int Count { get; }

    /// <summary>
    /// Has every thread call the function with its number, from 0, and waits for all. Callers wait for each other.
    /// </summary>
    /// <exception cref="InvalidOperationException">It was called from within the team's own work.</exception>
    /// <exception cref="ObjectDisposedException">The team was disposed.</exception>
    public void Run(Action<int> work)
    {
        if (ReferenceEquals(_current, this))
            throw new InvalidOperationException("A team's work cannot give the team work.");
        using var use = _lifetime.Enter();
        lock (_callers)
        {
            var outer = _current;
            _current = this;
            try
            {
                RunTogether(work);
            }
            finally
            {
                _current = outer;
            }
        }
    }

    /// <summary>Waits, inside the work, until every thread has come here.</summary>
    /// <exception cref="OperationCanceledException">A thread will not come, since its work threw.</exception>
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
        {
            if (Volatile.Read(ref _failure) is not null)
                throw new OperationCanceledException("Another thread's part of the work failed.");
            Pause(spins);
        }
    }

    /// <summary>This thread's share of a number of items: a run of neighbours, whole multiples of a grain.</summary>
    public (int First, int End) Share(int thread, int items, int grain = 1)
    {
        var grains = ((long)items + grain - 1) / grain;
        return (Bound(thread), Bound(thread + 1));

        int Bound(int threads) => (int)Math.Min(grains * threads / Count * grain, items);
    }

    /// <summary>Ends the threads, where they work when they are done with it.</summary>
    public void Dispose() => _lifetime.Dispose();

    /// <summary>Ends the threads of a team that nobody can give work any more, without waiting for them.</summary>
    public void Abandon()
    {
        _stopped = true;
        Interlocked.Increment(ref _round);
        _wake.Release(Count);
    }

    private void RunTogether(Action<int> work)
    {
        if (Count == 1)
        {
            work(0);
            return;
        }
        Start();
        (_work, _failure, _arrived, _done) = (work, null, 0, 0);
        Interlocked.Increment(ref _round);
        var sleeping = Interlocked.Exchange(ref _sleeping, 0);
        if (sleeping > 0)
            _wake.Release(sleeping);
        Work(0);
        for (var spins = 0; _done < Count; spins++)
            Pause(spins);
        // What the work knows is nobody's to keep: threads that sleep would.
        _work = None;
        _failure?.Throw();
    }

    private void Work(int index)
    {
        try
        {
            _work(index);
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
        }
        Interlocked.Increment(ref _done);
    }

    // At the first work, since some teams never have any.
    private void Start()
    {
        while (_threads.Count < Count - 1)
        {
            // Those who come when others have worked already begin with the next round.
            var (index, done) = (_threads.Count + 1, _round);
            var thread = new Thread(() => Serve(index, done)) { IsBackground = true, Name = $"CoLM worker {index}" };
            thread.Start();
            _threads.Add(thread);
        }
    }

    private void Stop()
    {
        Abandon();
        foreach (var thread in _threads)
            thread.Join();
        _wake.Dispose();
    }

    private static void Pause(int spins)
    {
        if (spins < SpinsBeforeYield)
            Thread.SpinWait(1);
        else
            Thread.Yield();
    }

    private void Serve(int index, int done)
    {
        _current = this;
        while (true)
        {
            AwaitRound(done);
            if (_stopped)
                return;
            done = _round;
            Work(index);
            // Awake until the others are done: the next work comes at once then, if it comes.
            for (var spins = 0; _done < Count && _round == done; spins++)
                Pause(spins);
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
