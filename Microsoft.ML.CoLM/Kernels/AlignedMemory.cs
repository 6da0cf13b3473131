using System.Runtime.InteropServices;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Memory for floats that begins where a cache line does, all zeros.</summary>
internal static unsafe class AlignedMemory
{
    private const nuint Alignment = 64;

    /// <summary>To be given back by <see cref="Free"/>.</summary>
    public static nint Allocate(long floats)
    {
        var size = (nuint)floats * sizeof(float);
        var memory = NativeMemory.AlignedAlloc(size, Alignment);
        NativeMemory.Clear(memory, size);
        return (nint)memory;
    }

    public static void Free(nint memory) => NativeMemory.AlignedFree((void*)memory);
}
