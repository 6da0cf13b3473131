using System.Runtime.InteropServices;

namespace Benchmarks.Link;

/// <summary>What a link takes from Linux's C library.</summary>
internal static unsafe partial class Libc
{
    // Numbers of Linux, the same on x64 and ARM64.
    public const int ReadWrite = 2;
    public const int NonBlocking = 0x800;
    public const int CloseOnExec = 0x80000;
    public const nuint SetTunInterface = 0x400454CA; // TUNSETIFF
    public const short Tun = 1;
    public const short WithoutPacketInformation = 0x1000;
    public const int Detach = 2;
    public const int Interrupted = 4;
    public const int Again = 11;
    public const int Terminate = 15;
    public const int TimerSlack = 29; // PR_SET_TIMERSLACK
    public const int RoundRobin = 2; // SCHED_RR
    public const short Readable = 1;

    [StructLayout(LayoutKind.Sequential)]
    public struct PollHandle
    {
        public int Handle;
        public short Events;
        public short Found;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    public static partial uint GetEffectiveUser();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int Control(int handle, nuint request, byte* argument);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    public static partial nint Read(int handle, byte* buffer, nint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static partial nint Write(int handle, byte* buffer, nint length);

    [LibraryImport("libc", EntryPoint = "ppoll")]
    public static partial int Poll(PollHandle* handles, nuint count, TimeSpec* timeout, void* signals);

    [LibraryImport("libc", EntryPoint = "close")]
    public static partial int Close(int handle);

    [LibraryImport("libc", EntryPoint = "prctl")]
    public static partial int ControlThread(int option, nuint argument);

    [LibraryImport("libc", EntryPoint = "sched_setscheduler")]
    public static partial int SetScheduler(int thread, int policy, int* priority);

    [LibraryImport("libc", EntryPoint = "umount2", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Unmount(string path, int flags);

    [LibraryImport("libc", EntryPoint = "kill")]
    public static partial int Kill(int process, int signal);
}
