using System.Runtime.Intrinsics;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>
/// Reads weights in place, as fast as memory gives them, on as many threads as libtorch has: a token cannot be decoded
/// faster, since it needs every weight once.
/// </summary>
internal sealed unsafe class PlainRead
{
    // Small enough that threads end together, large enough that handing them out costs nothing.
    private const long PieceLength = 1 << 20;

    private readonly List<(nint Start, long Length)> _pieces = [];
    private readonly ParallelOptions _threads = new() { MaxDegreeOfParallelism = get_num_threads() };
    private readonly IReadOnlyList<Tensor> _weights;

    /// <param name="weights">Contiguous, on the CPU; they must not be disposed or moved before the last read.</param>
    /// <exception cref="ArgumentException">A weight is not on the CPU or not contiguous.</exception>
    public PlainRead(IEnumerable<Tensor> weights)
    {
        _weights = [.. weights];
        foreach (var weight in _weights)
        {
            if (weight.device_type != DeviceType.CPU || !weight.is_contiguous())
                throw new ArgumentException("Plain reads are of contiguous weights on the CPU.", nameof(weights));
            var length = weight.numel() * weight.element_size();
            var start = TensorMemory.Address(weight);
            for (long done = 0; done < length; done += PieceLength)
                _pieces.Add((start + (nint)done, Math.Min(PieceLength, length - done)));
        }
    }

    /// <summary>What one read covers.</summary>
    public long Bytes => _pieces.Sum(piece => piece.Length);

    /// <summary>Reads everything once.</summary>
    /// <returns>A sum over all of it, so that no read can be left out.</returns>
    public int Run()
    {
        var sum = 0;
        Parallel.ForEach(_pieces, _threads, piece => Interlocked.Add(ref sum, Sum(piece.Start, piece.Length)));
        GC.KeepAlive(_weights);
        return sum;
    }

    private static int Sum(nint start, long length)
    {
        var sums = Vector512.IsHardwareAccelerated ? Sum512((byte*)start, length) : Sum256((byte*)start, length);
        for (var rest = length - length % SumStep; rest < length; rest++)
            sums += ((byte*)start)[rest];
        return sums;
    }

    // Four sums at once: one would wait for its own last addition.
    private const int SumStep = 4 * 64;

    private static int Sum512(byte* start, long length)
    {
        var (a, b, c, d) = (Vector512<int>.Zero, Vector512<int>.Zero, Vector512<int>.Zero, Vector512<int>.Zero);
        for (var end = start + length - length % SumStep; start < end; start += SumStep)
        {
            a += Vector512.Load((int*)start);
            b += Vector512.Load((int*)(start + 64));
            c += Vector512.Load((int*)(start + 128));
            d += Vector512.Load((int*)(start + 192));
        }
        return Vector512.Sum(a + b + c + d);
    }

    private static int Sum256(byte* start, long length)
    {
        var (a, b, c, d) = (Vector256<int>.Zero, Vector256<int>.Zero, Vector256<int>.Zero, Vector256<int>.Zero);
        for (var end = start + length - length % SumStep; start < end; start += SumStep / 2)
        {
            a += Vector256.Load((int*)start);
            b += Vector256.Load((int*)(start + 32));
            c += Vector256.Load((int*)(start + 64));
            d += Vector256.Load((int*)(start + 96));
        }
        return Vector256.Sum(a + b + c + d);
    }
}
