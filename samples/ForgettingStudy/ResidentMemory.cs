using System.Diagnostics;
using System.Runtime.InteropServices;

namespace ForgettingStudy;

/// <summary>How far this process's resident memory grows, in MiB.</summary>
/// <remarks>Linux alone forgets a peak; elsewhere it is the process's, from its beginning.</remarks>
internal sealed class ResidentMemory
{
    private const double MiB = 1 << 20;

    private readonly double _before;

    /// <summary>Starts at what is resident now, without what waits to be collected.</summary>
    public ResidentMemory()
    {
        GC.Collect();
        ForgetPeak();
        using var process = Process.GetCurrentProcess();
        _before = process.WorkingSet64 / MiB;
    }

    /// <summary>The most that was noted, beyond what was resident at the start.</summary>
    public double Growth { get; private set; }

    /// <summary>Notes the peak so far.</summary>
    public void Note() => Growth = Math.Max(Growth, Peak() - _before);

    /// <summary>Forgets the peak since the last note, and gives back to the system what was freed.</summary>
    public static void ForgetPeak()
    {
        if (!OperatingSystem.IsLinux())
            return;
        // Otherwise the C library keeps most of it, and it would count as in use.
        if (NativeLibrary.TryLoad("libc.so.6", out var library) &&
            NativeLibrary.TryGetExport(library, "malloc_trim", out var trim))
        {
            _ = Marshal.GetDelegateForFunctionPointer<MallocTrim>(trim)(0);
        }
        // Linux forgets the peak when 5 is written here.
        File.WriteAllText("/proc/self/clear_refs", "5");
    }

    private static double Peak()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / MiB;
    }

    private delegate int MallocTrim(nuint pad);
}
