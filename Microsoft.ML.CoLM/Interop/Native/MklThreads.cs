using System.Runtime.InteropServices;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>
/// How many threads MKL, which multiplies libtorch's float32 and float64 matrices, takes for the products of one calling
/// thread. libtorch's own setting reaches beyond the thread that makes it.
/// </summary>
internal static unsafe class MklThreads
{
    // A name without a folder finds the library that is loaded, wherever it came from. On Windows MKL is hidden in it.
    private const string Library = "libtorch_cpu.so";
    private const string Setter = "MKL_Set_Num_Threads_Local";

    private static readonly delegate* unmanaged<int, int> Set =
        NativeLibrary.TryLoad(Library, out var library) && NativeLibrary.TryGetExport(library, Setter, out var setter)
            ? (delegate* unmanaged<int, int>)setter
            : null;

    /// <summary>Whether a thread may choose.</summary>
    public static bool AreSettable => Set is not null;

    /// <summary>Sets how many threads this thread's products may take, 0 for as many as are usual.</summary>
    /// <returns>What was set before.</returns>
    public static int SetForThisThread(int count) => Set(count);
}
