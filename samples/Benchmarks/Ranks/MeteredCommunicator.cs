using System.Diagnostics;
using Microsoft.ML.CoLM;

namespace Benchmarks;

/// <summary>Another communicator, and the time that is spent in its calls.</summary>
internal sealed class MeteredCommunicator(Communicator inner) : Communicator
{
    private readonly Stopwatch _clock = new();
    private long _bytes;

    public override int Rank => inner.Rank;

    public override int Size => inner.Size;

    /// <summary>Milliseconds and bytes since the last call of this.</summary>
    public (double Milliseconds, long Bytes) Take()
    {
        var found = (_clock.Elapsed.TotalMilliseconds, inner.BytesExchanged - _bytes);
        _clock.Reset();
        _bytes = inner.BytesExchanged;
        return found;
    }

    public override void Sum(Span<float> values)
    {
        _clock.Start();
        inner.Sum(values);
        _clock.Stop();
    }

    public override void Sum(Span<double> values)
    {
        _clock.Start();
        inner.Sum(values);
        _clock.Stop();
    }

    public override void Broadcast(Span<byte> bytes, int root = 0)
    {
        _clock.Start();
        inner.Broadcast(bytes, root);
        _clock.Stop();
    }

    public override void Barrier() => inner.Barrier();

    public override void Send(ReadOnlySpan<byte> message, int rank) => inner.Send(message, rank);

    public override byte[]? TryReceive(int rank) => inner.TryReceive(rank);

    public override void Fail(string reason) => inner.Fail(reason);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
    }
}
