using System.Globalization;
using System.Runtime.InteropServices;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>Resident memory of this process.</summary>
internal static partial class ProcessMemory
{
    private const string Status = "/proc/self/status";
    private const string References = "/proc/self/clear_refs";

    /// <summary>Bytes that are resident now.</summary>
    public static long Resident => Read("VmRSS:") ?? Environment.WorkingSet;

    /// <summary>Bytes that were resident at the most since the last <see cref="TryForgetPeak"/>.</summary>
    /// <remarks>Of Linux alone; elsewhere what is resident now.</remarks>
    public static long Peak => Read("VmHWM:") ?? Resident;

    /// <summary>Lets the system count the peak from now on.</summary>
    /// <returns>Whether it does: Linux alone, and not in every container.</returns>
    public static bool TryForgetPeak()
    {
        if (!OperatingSystem.IsLinux())
            return false;
        try
        {
            // See proc(5): 5 resets the peak resident set size to what it is now.
            File.WriteAllText(References, "5");
            return Read("VmHWM:") is not null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Gives memory back to the system that was freed, and that the allocators keep for what comes next.</summary>
    public static void ReturnFree()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        TrimHeap();
    }

    /// <summary>Gives the memory back to the system that is free on the C library's heap.</summary>
    public static void TrimHeap()
    {
        try
        {
            if (OperatingSystem.IsLinux())
                _ = Trim(kept: 0);
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            // Another C library than glibc, which keeps less.
        }
    }

    /// <summary>The bytes that a line of the process's status names, such as "VmHWM:   1234 kB"; null where it names none.</summary>
    internal static long? Bytes(string? line) =>
        // Behind the name stands a tab; spaces fill the number up to eight digits, and before a longer one there are none.
        line?.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is [_, var number, ..] &&
        long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var kibibytes)
            ? kibibytes * 1024 : null;

    private static long? Read(string field)
    {
        if (!OperatingSystem.IsLinux())
            return null;
        try
        {
            return Bytes(File.ReadLines(Status).FirstOrDefault(line => line.StartsWith(field, StringComparison.Ordinal)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint kept);
}
