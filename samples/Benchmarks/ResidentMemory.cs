using System.Diagnostics;

namespace Benchmarks;

/// <summary>Resident memory of this process, in MiB; Linux alone keeps its peak.</summary>
internal static class ResidentMemory
{
    private const double MiB = 1 << 20;

    /// <summary>Forgets the peak; what is resident now is returned.</summary>
    public static double ResetPeak()
    {
        // Linux forgets the peak when 5 is written here.
        File.WriteAllText("/proc/self/clear_refs", "5");
        return Now();
    }

    /// <summary>What is resident now.</summary>
    public static double Now()
    {
        using var process = Process.GetCurrentProcess();
        return process.WorkingSet64 / MiB;
    }

    /// <summary>The peak since it was forgotten.</summary>
    public static double Peak()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / MiB;
    }
}
