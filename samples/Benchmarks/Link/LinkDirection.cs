namespace Benchmarks.Link;

/// <summary>Carries packets from one device to another on a thread of its own, at a link's rate and with its delay.</summary>
internal sealed class LinkDirection(TunDevice from, TunDevice to, LinkSpeed speed)
{
    private const int Batch = 64; // packets read before those that are due are looked at again
    private const long LongestSleep = LinkClock.Second / 20; // until it is seen that the link is to end
    private const long LongestBlindness = LinkClock.Second / 1000; // the device keeps 500 packets until they are read
    private const long LongestEarliness = LinkClock.Second / 10_000; // of a packet, and no more than a tenth of the delay
    private const double WakingsRemembered = 16;
    private const int Priority = 10; // of real time: ranks that wait for messages use their cores wholly
    private const int Slack = 1; // nanoseconds; otherwise Linux wakes threads 50 us late, to wake several at once

    private readonly byte[] _packet = new byte[speed.Mtu];

    // Twice the bytes for what small packets leave unused at the array's end and for what is late.
    private readonly PacketQueue _queue = new((int)Math.Min(2 * (speed.Backlog + speed.InFlight), Array.MaxLength));

    private readonly double _nanosecondsPerByte = LinkClock.Second / speed.BytesPerSecond;
    private readonly double _longestBacklog = speed.Backlog / speed.BytesPerSecond * LinkClock.Second;

    // To wake for each packet of a stream takes most of a core where processes are switched slowly: those that follow one
    // another this closely leave together.
    private readonly long _early = Math.Min(speed.DelayNanoseconds / 10, LongestEarliness);

    private double _waking; // nanoseconds that the system usually takes to wake the thread
    private double _free; // when the last packet taken has left the sender

    public LinkTraffic Traffic { get; } = new();

    /// <summary>Ends when it is asked to, or fails with the devices.</summary>
    public Task Start(CancellationToken stop) => Task.Factory.StartNew(
        () => Carry(stop), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Carry(CancellationToken stop)
    {
        Hurry();
        while (!stop.IsCancellationRequested)
        {
            Send();
            if (!Receive())
                Sleep();
        }
    }

    // Of use where the system allows it; what it leaves late is reported.
    private static unsafe void Hurry()
    {
        var priority = Priority;
        _ = Libc.SetScheduler(0, Libc.RoundRobin, &priority);
        _ = Libc.ControlThread(Libc.TimerSlack, Slack);
    }

    private void Sleep()
    {
        var now = LinkClock.Now;
        var sleep = LongestSleep;
        if (_queue.TryPeek(out var departure))
            sleep = Math.Min(departure - now - Math.Min((long)_waking, _early), LongestSleep);
        // Packets that come while others leave wait anyway, and need not wake the thread.
        var busy = Math.Min((long)_free - now, LongestBlindness);
        var isBlind = busy > 0;
        if (isBlind)
            sleep = Math.Min(sleep, busy);
        if (sleep <= 0)
            return;
        if (!from.Wait(sleep, isBlind))
            _waking += (LinkClock.Now - now - sleep - _waking) / WakingsRemembered;
    }

    private void Send()
    {
        var now = LinkClock.Now;
        while (_queue.TryPeek(out var departure) && departure <= now + _early)
        {
            var packet = _queue.Dequeue();
            if (to.TryWrite(packet))
                Traffic.Carry(packet.Length, departure, now);
            else
                Traffic.Drop();
            now = LinkClock.Now;
        }
    }

    // Whether there may be more to read.
    private bool Receive()
    {
        for (var i = 0; i < Batch; i++)
        {
            var length = from.Read(_packet);
            if (length == 0)
                return false;
            var now = LinkClock.Now;
            var sent = Math.Max(now, _free) + length * _nanosecondsPerByte;
            if (sent - now <= _longestBacklog && _queue.TryEnqueue(_packet.AsSpan(0, length), (long)sent + speed.DelayNanoseconds))
                _free = sent;
            else
                Traffic.Drop();
        }
        return true;
    }
}
