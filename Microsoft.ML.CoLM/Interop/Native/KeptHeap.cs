using System.Runtime.InteropServices;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>
/// Until the last one of these is disposed, the C library keeps memory that tensors leave for the tensors that follow.
/// </summary>
/// <remarks>
/// A training step frees what it allocated, and the next allocates the same again. By itself glibc gives large pieces back to
/// the system, which fills each page with zeros when it is touched anew: up to half of a step's time (samples/Benchmarks,
/// rank-step). It keeps them on the process's first heap alone, which is the first thread's, or every thread's where
/// MALLOC_ARENA_MAX is 1. Nothing is done without glibc, or in a process whose environment sets up the heap.
/// </remarks>
internal sealed partial class KeptHeap : IDisposable
{
    // Of mallopt(3): two options, and what they are set to. The defaults are the most that glibc's own adjustment leads to.
    private const int TrimThreshold = -1;
    private const int MappedPieces = -4;
    private const int Never = -1;
    private const int DefaultTrimThreshold = 64 << 20;
    private const int DefaultMappedPieces = 65536;

    private static readonly Lock Changes = new();
    private static int _count;
    private static long _before;

    public KeptHeap()
    {
        if (!IsPossible)
            return;
        lock (Changes)
        {
            if (++_count > 1)
                return;
            _before = ProcessMemory.Resident;
            Set(trimThreshold: Never, mappedPieces: 0);
        }
    }

    /// <summary>Whether the system is Linux, and the environment leaves the heap to this.</summary>
    public static bool IsPossible { get; } =
        OperatingSystem.IsLinux() &&
        Environment.GetEnvironmentVariable("MALLOC_TRIM_THRESHOLD_") is null &&
        Environment.GetEnvironmentVariable("MALLOC_MMAP_MAX_") is null &&
        Environment.GetEnvironmentVariable("GLIBC_TUNABLES")?.Contains("glibc.malloc", StringComparison.Ordinal) != true;

    public void Dispose()
    {
        if (!IsPossible)
            return;
        lock (Changes)
        {
            if (--_count > 0)
                return;
            Set(DefaultTrimThreshold, DefaultMappedPieces);
            // To look through the heap takes longer than a small training, and so much glibc keeps by itself.
            if (ProcessMemory.Resident - _before > DefaultTrimThreshold)
                ProcessMemory.TrimHeap();
        }
    }

    private static void Set(int trimThreshold, int mappedPieces)
    {
        try
        {
            _ = SetOption(TrimThreshold, trimThreshold);
            _ = SetOption(MappedPieces, mappedPieces);
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            // Another C library.
        }
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetOption(int option, int value);
}
