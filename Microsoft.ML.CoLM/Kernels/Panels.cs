using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Copies of parts of a matrix in the order in which <see cref="PackedProduct"/> reads them: panels of so many rows or
/// columns, one number of each beside the other.
/// </summary>
internal static unsafe class Panels
{
    // Numbers that are moved together.
    private const int Lanes = 8;

    /// <summary>Packs vectors of a depth into panels.</summary>
    /// <param name="from">The first vector's first number.</param>
    /// <param name="vectorStride">Elements from a vector to the next.</param>
    /// <param name="depthStride">Elements from a vector's number to its next.</param>
    /// <param name="vectors">How many vectors; the last panel is filled up with zeros.</param>
    /// <param name="depth">Numbers of a vector.</param>
    /// <param name="width">Vectors of a panel, a multiple of 8.</param>
    /// <param name="to">[vectors / width, depth, width].</param>
    public static void Pack(float* from, long vectorStride, long depthStride, int vectors, int depth, int width, float* to)
    {
        for (; vectors > 0; vectors -= width, from += width * vectorStride, to += (long)width * depth)
        {
            if (vectors < width)
                Fill(from, vectorStride, depthStride, vectors, depth, width, to);
            else if (vectorStride == 1)
                Copy(from, depthStride, depth, width, to);
            else if (depthStride == 1)
                Transpose(from, vectorStride, depth, width, to);
            else
                Fill(from, vectorStride, depthStride, width, depth, width, to);
        }
    }

    private static void Fill(float* from, long vectorStride, long depthStride, int vectors, int depth, int width, float* to)
    {
        new Span<float>(to, width * depth).Clear();
        for (var vector = 0; vector < vectors; vector++)
        {
            var number = from + vector * vectorStride;
            for (var k = 0; k < depth; k++, number += depthStride)
                to[k * width + vector] = *number;
        }
    }

    private static void Copy(float* from, long depthStride, int depth, int width, float* to)
    {
        for (var k = 0; k < depth; k++, from += depthStride, to += width)
        {
            for (var vector = 0; vector < width; vector += Lanes)
                Vector256.Load(from + vector).Store(to + vector);
        }
    }

    private static void Transpose(float* from, long stride, int depth, int width, float* to)
    {
        for (var vector = 0; vector < width; vector += Lanes)
            TransposeEight(from + vector * stride, stride, depth, width, to + vector);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeEight(float* from, long stride, int depth, int width, float* to)
    {
        var k = 0;
        for (; k + Lanes <= depth; k += Lanes, to += Lanes * width)
        {
            var (low0, high0) = Interleave(from + k, stride);
            var (low2, high2) = Interleave(from + k + 2 * stride, stride);
            var (low4, high4) = Interleave(from + k + 4 * stride, stride);
            var (low6, high6) = Interleave(from + k + 6 * stride, stride);
            Store(Pairs(low0, low2), Pairs(low4, low6), to, 4 * width);
            Store(OddPairs(low0, low2), OddPairs(low4, low6), to + width, 4 * width);
            Store(Pairs(high0, high2), Pairs(high4, high6), to + 2 * width, 4 * width);
            Store(OddPairs(high0, high2), OddPairs(high4, high6), to + 3 * width, 4 * width);
        }
        for (; k < depth; k++, to += width)
        {
            for (var vector = 0; vector < Lanes; vector++)
                to[vector] = from[vector * stride + k];
        }
    }

    // Two rows' numbers by turns: of each half of eight, the first two and the last two.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float> Low, Vector256<float> High) Interleave(float* row, long stride)
    {
        var (a, b) = (Vector256.Load(row), Vector256.Load(row + stride));
        return (Avx.UnpackLow(a, b), Avx.UnpackHigh(a, b));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Pairs(Vector256<float> a, Vector256<float> b) => Avx.Shuffle(a, b, 0b01_00_01_00);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> OddPairs(Vector256<float> a, Vector256<float> b) => Avx.Shuffle(a, b, 0b11_10_11_10);

    // The lower halves are one row of the result, the upper ones the fourth after it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector256<float> left, Vector256<float> right, float* to, int four)
    {
        Avx.Permute2x128(left, right, 0x20).Store(to);
        Avx.Permute2x128(left, right, 0x31).Store(to + four);
    }
}
