namespace Benchmarks.Link;

/// <summary>Packets in the order in which they came, each with the time at which it is to leave; for one thread.</summary>
internal sealed class PacketQueue(int bytes)
{
    private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(bytes);
    private readonly Queue<Packet> _packets = new();
    private int _end; // behind the last packet's bytes

    /// <summary>When the first packet is to leave, if there is one.</summary>
    public bool TryPeek(out long departure)
    {
        var found = _packets.TryPeek(out var packet);
        departure = packet.Departure;
        return found;
    }

    /// <returns>Whether there was room for it.</returns>
    public bool TryEnqueue(ReadOnlySpan<byte> packet, long departure)
    {
        if (!TryFind(packet.Length, out var start))
            return false;
        packet.CopyTo(_bytes.AsSpan(start));
        _packets.Enqueue(new(departure, start, packet.Length));
        _end = start + packet.Length;
        return true;
    }

    /// <summary>Takes the first packet out; its bytes stay until another is put in.</summary>
    public ReadOnlySpan<byte> Dequeue()
    {
        var packet = _packets.Dequeue();
        return _bytes.AsSpan(packet.Start, packet.Length);
    }

    // A packet lies in one piece: where the rest of the array is too short, at the array's beginning. Bytes used never fill
    // it, so that an end which is the first packet's start means nothing else than an empty queue.
    private bool TryFind(int length, out int start)
    {
        start = 0;
        if (!_packets.TryPeek(out var first))
            return length < _bytes.Length;
        if (_end > first.Start)
        {
            start = _end + length <= _bytes.Length ? _end : 0;
            return start > 0 || length < first.Start;
        }
        start = _end;
        return _end + length < first.Start;
    }

    private readonly record struct Packet(long Departure, int Start, int Length);
}
