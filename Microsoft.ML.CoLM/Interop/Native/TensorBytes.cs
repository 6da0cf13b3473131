using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>Copies the elements of tensors between streams and memory, a chunk at a time.</summary>
/// <remarks>
/// Elements travel in the tensor's own memory where they can. Tensors on another device, or of another type than the
/// stream's, go through one chunk on the CPU: however large the tensor, no second copy of it is made.
/// </remarks>
internal static class TensorBytes
{
    private const int ChunkLength = 4 << 20;

    /// <summary>Fills a contiguous tensor from elements as they are stored.</summary>
    /// <returns>
    /// Whether all elements are finite numbers, as they are stored and as they are in the tensor's type. They are looked
    /// at while they are in the processor's cache, where that costs little.
    /// </returns>
    /// <exception cref="EndOfStreamException">The stream ends before the tensor is full.</exception>
    public static bool Read(Stream stream, ScalarType stored, Tensor target)
    {
        using var flat = Flat(target);
        var areFinite = true;
        var isDirect = target.device_type == DeviceType.CPU && target.dtype == stored;
        var elementsPerChunk = ChunkLength / (int)stored.ElementSize();
        using var staging = isDirect ? null : empty(Math.Min(elementsPerChunk, flat.numel()), dtype: stored);
        for (long start = 0; start < flat.numel(); start += elementsPerChunk)
        {
            var count = Math.Min(elementsPerChunk, flat.numel() - start);
            using var chunk = flat.narrow(0, start, count);
            if (staging is null)
            {
                areFinite &= ReadChunk(stream, chunk);
                continue;
            }
            using var staged = staging.narrow(0, 0, count);
            areFinite &= ReadChunk(stream, staged);
            if (target.dtype == stored)
            {
                chunk.copy_(staged);
                continue;
            }
            // A large number of a wide type can be infinite in a narrow one.
            using var converted = staged.to(target.dtype);
            areFinite &= FiniteBits.AreAll(converted.bytes, converted.dtype);
            chunk.copy_(converted);
        }
        return areFinite;
    }

    /// <summary>Whether two streams hold the same numbers, be it in different types.</summary>
    /// <exception cref="EndOfStreamException">One ends before so many elements.</exception>
    public static bool AreEqual(Stream stream, ScalarType stored, Stream other, ScalarType otherStored, long count)
    {
        var elementsPerChunk = ChunkLength / (int)Math.Max(stored.ElementSize(), otherStored.ElementSize());
        var length = (int)Math.Min(elementsPerChunk, count);
        using Tensor first = empty(length, dtype: stored), second = empty(length, dtype: otherStored);
        for (; count > 0; count -= length)
        {
            length = (int)Math.Min(length, count);
            using Tensor own = first.narrow(0, 0, length), found = second.narrow(0, 0, length);
            stream.ReadExactly(own.bytes);
            other.ReadExactly(found.bytes);
            using Tensor numbers = own.to(ScalarType.Float32), others = found.to(ScalarType.Float32);
            if (!numbers.Equals(others))
                return false;
        }
        return true;
    }

    /// <summary>Writes a tensor's elements in its own type.</summary>
    public static void Write(Stream stream, Tensor source)
    {
        using var contiguous = source.contiguous();
        using var flat = Flat(contiguous);
        var elementsPerChunk = ChunkLength / source.ElementSize;
        for (long start = 0; start < flat.numel(); start += elementsPerChunk)
        {
            using var chunk = flat.narrow(0, start, Math.Min(elementsPerChunk, flat.numel() - start));
            using var onCpu = chunk.cpu();
            stream.Write(onCpu.bytes);
        }
    }

    private static bool ReadChunk(Stream stream, Tensor chunk)
    {
        var bytes = chunk.bytes;
        stream.ReadExactly(bytes);
        return FiniteBits.AreAll(bytes, chunk.dtype);
    }

    // Detached, since elements are copied into parameters that require gradients.
    private static Tensor Flat(Tensor tensor)
    {
        using var detached = tensor.detach();
        return detached.view(-1);
    }
}
