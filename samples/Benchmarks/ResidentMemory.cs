using System.Globalization;

namespace Benchmarks;

/// <summary>Resident memory of this process, in MiB; Linux alone keeps its peak.</summary>
internal static class ResidentMemory
{
    /// <summary>Forgets the peak; what is resident now is returned.</summary>
    public static double ResetPeak()
    {
        // Linux forgets the peak when 5 is written here.
        File.WriteAllText("/proc/self/clear_refs", "5");
        return Status("VmRSS");
    }

    /// <summary>What is resident now.</summary>
    public static double Now() => Status("VmRSS");

    /// <summary>The peak since it was forgotten.</summary>
    public static double Peak() => Status("VmHWM");

    private static double Status(string name) => double.Parse(File.ReadLines("/proc/self/status")
        .First(line => line.StartsWith(name, StringComparison.Ordinal))
        .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
}
