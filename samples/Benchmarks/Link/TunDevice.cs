using System.Runtime.InteropServices;
using System.Text;

namespace Benchmarks.Link;

/// <summary>A network device whose packets a program carries; it goes away with its handle, wherever it was moved to.</summary>
internal sealed unsafe class TunDevice : IDisposable
{
    private const string Path = "/dev/net/tun";
    private const int RequestLength = 40; // of struct ifreq: 16 bytes of a name, then the flags
    private const int FlagsPlace = 16;

    private readonly int _handle;

    /// <exception cref="InvalidOperationException">The system lets no such device be made.</exception>
    public TunDevice(string name)
    {
        Name = name;
        _handle = Libc.Open(Path, Libc.ReadWrite | Libc.NonBlocking | Libc.CloseOnExec);
        if (_handle < 0)
            throw new InvalidOperationException($"{Path} could not be opened: {Marshal.GetLastPInvokeErrorMessage()}.");
        Span<byte> request = stackalloc byte[RequestLength];
        request.Clear();
        Encoding.ASCII.GetBytes(name, request);
        MemoryMarshal.Write(request[FlagsPlace..], Libc.Tun | Libc.WithoutPacketInformation);
        fixed (byte* argument = request)
        {
            if (Libc.Control(_handle, Libc.SetTunInterface, argument) >= 0)
                return;
        }
        var message = Marshal.GetLastPInvokeErrorMessage();
        Dispose();
        throw new InvalidOperationException($"The device {name} could not be made: {message}.");
    }

    public string Name { get; }

    /// <returns>The packet's length; 0 where none is there.</returns>
    /// <exception cref="IOException">The device is gone.</exception>
    public int Read(Span<byte> packet)
    {
        while (true)
        {
            nint length;
            fixed (byte* start = packet)
                length = Libc.Read(_handle, start, packet.Length);
            if (length >= 0)
                return (int)length;
            switch (Marshal.GetLastPInvokeError())
            {
                case Libc.Again:
                    return 0;
                case Libc.Interrupted:
                    break;
                default:
                    throw new IOException($"{Name} could not be read: {Marshal.GetLastPInvokeErrorMessage()}.");
            }
        }
    }

    /// <returns>Whether the system took it.</returns>
    public bool TryWrite(ReadOnlySpan<byte> packet)
    {
        fixed (byte* start = packet)
            return Libc.Write(_handle, start, packet.Length) == packet.Length;
    }

    /// <summary>Waits until there is a packet to read, or for the time given; blind, for that time whatever there is.</summary>
    /// <returns>Whether there is one, as far as it is seen.</returns>
    public bool Wait(long nanoseconds, bool isBlind)
    {
        var handle = new Libc.PollHandle { Handle = _handle, Events = Libc.Readable };
        var timeout = new Libc.TimeSpec
        {
            Seconds = nanoseconds / LinkClock.Second,
            Nanoseconds = nanoseconds % LinkClock.Second,
        };
        return Libc.Poll(&handle, isBlind ? 0u : 1u, &timeout, null) > 0;
    }

    public void Dispose() => _ = Libc.Close(_handle);
}
