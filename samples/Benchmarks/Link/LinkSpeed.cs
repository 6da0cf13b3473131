namespace Benchmarks.Link;

/// <summary>What a link imitates, in each direction.</summary>
/// <param name="Rate">Megabits a second.</param>
/// <param name="Delay">Milliseconds from one end to the other, beside those that the rate takes.</param>
/// <param name="Mtu">Bytes of the longest packet.</param>
internal readonly record struct LinkSpeed(double Rate, double Delay, int Mtu)
{
    private const double LongestWait = 0.05; // seconds that a packet waits for those before it; behind more it is dropped
    private const double LeastBacklog = 1 << 20;

    public double BytesPerSecond => Rate * 1e6 / 8;

    public long DelayNanoseconds => (long)(Delay * 1e6);

    /// <summary>Bytes that may wait for their turn.</summary>
    public double Backlog => Math.Max(BytesPerSecond * LongestWait, LeastBacklog);

    /// <summary>Bytes on their way.</summary>
    public double InFlight => BytesPerSecond * Delay / 1e3;

    public override string ToString() => $"{Rate} Mbit/s each way, {Delay} ms one way, MTU {Mtu}";
}
