namespace Benchmarks.Link;

/// <summary>Counts what one direction of a link carries.</summary>
internal sealed class LinkTraffic
{
    private long _second; // the present one's end
    private long _inSecond; // bytes
    private long _busiest; // bytes
    private long _late; // nanoseconds, over all packets
    private long _latest;

    public long Packets { get; private set; }

    public long Bytes { get; private set; }

    public long Dropped { get; private set; }

    /// <summary>Megabits a second.</summary>
    public double BusiestRate => Math.Max(_busiest, _inSecond) * 8 / 1e6;

    /// <summary>Microseconds from the time at which a packet was to leave until it did.</summary>
    public double MeanLateness => Packets == 0 ? 0 : _late / 1e3 / Packets;

    public void Drop(long packets = 1) => Dropped += packets;

    public void Carry(int bytes, long departure, long now)
    {
        if (now >= _second)
        {
            _busiest = Math.Max(_busiest, _inSecond);
            _inSecond = 0;
            _second = now + LinkClock.Second;
        }
        _inSecond += bytes;
        Packets++;
        Bytes += bytes;
        var late = Math.Max(now - departure, 0);
        _late += late;
        _latest = Math.Max(_latest, late);
    }

    public override string ToString() =>
        $"{Packets} packets, {Bytes / 1e6:F1} MB, {Dropped} dropped, busiest second {BusiestRate:F1} Mbit/s, "
        + $"{MeanLateness:F0} µs late on average, {_latest / 1e3:F0} µs at most";
}
