using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>The memory of tensors on the CPU, read and written in place.</summary>
internal static unsafe class TensorMemory
{
    /// <summary>Where a contiguous tensor's first element lies; valid as long as the tensor is.</summary>
    /// <remarks>libtorch's memory stays where it is: the garbage collector does not know it.</remarks>
    public static nint Address(Tensor tensor)
    {
        using var detached = tensor.detach();
        using var flat = detached.view(-1);
        using var first = flat.narrow(0, 0, 1);
        return (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(first.bytes));
    }
}
