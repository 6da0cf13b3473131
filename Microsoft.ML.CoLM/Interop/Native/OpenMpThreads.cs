using System.Runtime.InteropServices;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>How many threads OpenMP, on which libtorch divides its work, takes for what one calling thread asks for.</summary>
internal static unsafe class OpenMpThreads
{
    // libtorch's library finds what it depends on, whatever that is called.
    private const string Library = "libtorch_cpu.so";

    private static readonly delegate* unmanaged<int> Get = (delegate* unmanaged<int>)Find("omp_get_max_threads");
    private static readonly delegate* unmanaged<int, void> Set = (delegate* unmanaged<int, void>)Find("omp_set_num_threads");

    /// <summary>Whether a thread may choose.</summary>
    public static bool AreSettable => Get is not null && Set is not null;

    /// <summary>Sets how many threads this thread's work may take.</summary>
    /// <returns>What was set before.</returns>
    public static int SetForThisThread(int count)
    {
        var before = Get();
        Set(count);
        return before;
    }

    private static void* Find(string name) =>
        NativeLibrary.TryLoad(Library, out var library) && NativeLibrary.TryGetExport(library, name, out var function)
            ? (void*)function
            : null;
}
