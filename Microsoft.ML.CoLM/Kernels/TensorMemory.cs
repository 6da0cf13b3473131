using System.IO.Hashing;
using Microsoft.ML.CoLM.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>The memory of tensors.</summary>
internal static unsafe class TensorMemory
{
    // Tensors elsewhere than on the CPU are copied to it, so many bytes at a time.
    private const int ChunkLength = 4 << 20;

    /// <summary>Where a tensor's first element lies on the CPU; valid as long as the tensor is.</summary>
    /// <remarks>libtorch's memory stays where it is: the garbage collector does not know it.</remarks>
    /// <exception cref="InvalidOperationException">The tensor is elsewhere: a GPU's address means nothing here.</exception>
    public static nint Address(Tensor tensor) => tensor.device_type == DeviceType.CPU
        ? TensorData.AddressOf(tensor)
        : throw new InvalidOperationException($"A tensor must be on the CPU to be read in place, found it on {tensor.device}.");

    /// <summary>A hash of a tensor's elements on the CPU, and of a seed.</summary>
    public static ulong Hash(Tensor tensor, ulong seed)
    {
        using var contiguous = tensor.detach().contiguous();
        var hash = new XxHash3((long)seed);
        var address = (byte*)Address(contiguous);
        var bytes = contiguous.numel() * contiguous.ElementSize;
        for (long start = 0; start < bytes; start += ChunkLength)
            hash.Append(new ReadOnlySpan<byte>(address + start, (int)Math.Min(ChunkLength, bytes - start)));
        return hash.GetCurrentHashAsUInt64();
    }

    /// <summary>Whether contiguous tensors have one shape and type, and the same elements, to the bit.</summary>
    public static bool HaveSameBits(Tensor a, Tensor b)
    {
        if (a.dtype != b.dtype || !a.shape.AsSpan().SequenceEqual(b.shape))
            return false;
        using var scope = NewDisposeScope();
        var (flatA, flatB) = (a.detach().view(-1), b.detach().view(-1));
        var elements = ChunkLength / a.ElementSize;
        for (long start = 0; start < flatA.numel(); start += elements)
        {
            using var chunk = NewDisposeScope();
            var count = Math.Min(elements, flatA.numel() - start);
            if (!flatA.narrow(0, start, count).cpu().bytes.SequenceEqual(flatB.narrow(0, start, count).cpu().bytes))
                return false;
        }
        return true;
    }
}
