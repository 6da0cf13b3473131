using System.IO.Hashing;
using System.Runtime.InteropServices;
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

    /// <summary>A hash of a tensor's elements, elsewhere than on the CPU of their <see cref="Sums"/>; 0 where it has none.</summary>
    public static ulong Hash(Tensor tensor)
    {
        if (tensor.device_type == DeviceType.META)
            return 0;
        if (tensor.device_type != DeviceType.CPU)
            return XxHash3.HashToUInt64(MemoryMarshal.AsBytes<double>(Sums(tensor)));
        using var detached = tensor.detach();
        using var contiguous = detached.contiguous();
        var hash = new XxHash3();
        var address = (byte*)Address(contiguous);
        var bytes = contiguous.numel() * contiguous.ElementSize;
        for (long start = 0; start < bytes; start += ChunkLength)
            hash.Append(new ReadOnlySpan<byte>(address + start, (int)Math.Min(ChunkLength, bytes - start)));
        return hash.GetCurrentHashAsUInt64();
    }

    /// <summary>Three numbers that are others, but by chance, where an element of a tensor is; computed where the tensor lies.</summary>
    public static double[] Sums(Tensor tensor)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var matrix = tensor.detach().reshape(tensor.size(0), -1);
        var (rows, columns) = (matrix.sum(1, type: ScalarType.Float64), matrix.sum(0, type: ScalarType.Float64));
        return [rows.sum().item<double>(), Weighted(rows), Weighted(columns)];

        static double Weighted(Tensor sums) => sums.mul(ones_like(sums).cumsum(0)).sum().item<double>();
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
