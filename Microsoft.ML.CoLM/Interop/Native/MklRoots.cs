using System.Runtime.InteropServices;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>
/// The square roots of libtorch's <c>sqrt</c> on the CPU, which are MKL's: some differ in the last bit from what the processor
/// computes.
/// </summary>
internal static unsafe class MklRoots
{
    // As libtorch calls it: high accuracy, denormal numbers as they are, errors ignored.
    private const long Mode = 0x2 | 0x140000 | 0x100;

    // A name without a folder finds the library that is loaded, wherever it came from. On Windows MKL is hidden in it.
    private static readonly delegate* unmanaged<int, float*, float*, long, void> Function =
        NativeLibrary.TryLoad("libtorch_cpu.so", out var library) && NativeLibrary.TryGetExport(library, "vmsSqrt", out var function)
            ? (delegate* unmanaged<int, float*, float*, long, void>)function
            : null;

    /// <summary>Whether they can be computed.</summary>
    public static bool AreAvailable => Function is not null;

    /// <summary>Computes them, on threads that <see cref="MklThreads"/> sets.</summary>
    /// <param name="count">How many.</param>
    /// <param name="from">[count].</param>
    /// <param name="to">[count].</param>
    public static void Compute(int count, float* from, float* to) => Function(count, from, to, Mode);
}
