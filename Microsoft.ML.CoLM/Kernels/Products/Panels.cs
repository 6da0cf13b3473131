using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Copies of parts of a matrix in the order in which <see cref="PanelGemm"/> reads them: panels of so many rows or
/// columns, one number of each beside the other.
/// </summary>
internal static unsafe class Panels
{
    // Numbers that are moved together.
    private const int Lanes = 8;

    private const int RowsAtOnce = 4;

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
        if (vectorStride == 1)
        {
            var whole = vectors / width * width;
            Copy(from, depthStride, whole, depth, width, to);
            vectors -= whole;
            from += whole;
            to += (long)whole * depth;
        }
        for (; vectors > 0; vectors -= width, from += width * vectorStride, to += (long)width * depth)
        {
            if (vectors < width || depthStride != 1 || !Avx.IsSupported)
                Fill(from, vectorStride, depthStride, Math.Min(vectors, width), depth, width, to);
            else
                Transpose(from, vectorStride, depth, width, to);
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

    // Few rows at a time, so that the processor holds on to their pages while it goes along them.
    private static void Copy(float* from, long depthStride, int vectors, int depth, int width, float* to)
    {
        for (var first = 0; first < depth; first += RowsAtOnce)
        {
            var end = Math.Min(first + RowsAtOnce, depth);
            for (var vector = 0; vector < vectors; vector += width)
            {
                float* source = from + first * depthStride + vector, target = to + (long)vector * depth + first * width;
                for (var k = first; k < end; k++, source += depthStride, target += width)
                {
                    for (var lane = 0; lane < width; lane += Lanes)
                        Vector256.Load(source + lane).Store(target + lane);
                }
            }
        }
    }

    private static void Transpose(float* from, long stride, int depth, int width, float* to)
    {
        var vector = 0;
        for (; Avx512F.IsSupported && vector + 2 * Lanes <= width; vector += 2 * Lanes)
            TransposeSixteen(from + vector * stride, stride, depth, width, to + vector);
        for (; vector < width; vector += Lanes)
            TransposeEight(from + vector * stride, stride, depth, width, to + vector);
    }

    [MethodImpl(KernelMethod.Compiled)]
    private static void TransposeSixteen(float* from, long stride, int depth, int width, float* to)
    {
        var k = 0;
        for (; k + 2 * Lanes <= depth; k += 2 * Lanes, to += 2 * Lanes * width)
        {
            var (r0, r1, r2, r3) = Four(from + k, stride);
            var (r4, r5, r6, r7) = Four(from + k + 4 * stride, stride);
            var (r8, r9, r10, r11) = Four(from + k + 8 * stride, stride);
            var (r12, r13, r14, r15) = Four(from + k + 12 * stride, stride);
            Store(r0, r4, r8, r12, to, 4 * width);
            Store(r1, r5, r9, r13, to + width, 4 * width);
            Store(r2, r6, r10, r14, to + 2 * width, 4 * width);
            Store(r3, r7, r11, r15, to + 3 * width, 4 * width);
        }
        for (; k < depth; k++, to += width)
        {
            for (var vector = 0; vector < 2 * Lanes; vector++)
                to[vector] = from[vector * stride + k];
        }
    }

    // Four rows of sixteen: of each quarter, what becomes its four columns.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float>, Vector512<float>, Vector512<float>, Vector512<float>) Four(float* row, long stride)
    {
        var (a, b) = (Vector512.Load(row), Vector512.Load(row + stride));
        var (c, d) = (Vector512.Load(row + 2 * stride), Vector512.Load(row + 3 * stride));
        var (lowAB, highAB) = (Avx512F.UnpackLow(a, b), Avx512F.UnpackHigh(a, b));
        var (lowCD, highCD) = (Avx512F.UnpackLow(c, d), Avx512F.UnpackHigh(c, d));
        return (Avx512F.Shuffle(lowAB, lowCD, 0b01_00_01_00), Avx512F.Shuffle(lowAB, lowCD, 0b11_10_11_10),
            Avx512F.Shuffle(highAB, highCD, 0b01_00_01_00), Avx512F.Shuffle(highAB, highCD, 0b11_10_11_10));
    }

    // The quarters of four vectors, one row of the result each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(
        Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* to, int four)
    {
        var (lowAB, highAB) = (Avx512F.Shuffle4x128(a, b, 0b01_00_01_00), Avx512F.Shuffle4x128(a, b, 0b11_10_11_10));
        var (lowCD, highCD) = (Avx512F.Shuffle4x128(c, d, 0b01_00_01_00), Avx512F.Shuffle4x128(c, d, 0b11_10_11_10));
        Avx512F.Shuffle4x128(lowAB, lowCD, 0b10_00_10_00).Store(to);
        Avx512F.Shuffle4x128(lowAB, lowCD, 0b11_01_11_01).Store(to + four);
        Avx512F.Shuffle4x128(highAB, highCD, 0b10_00_10_00).Store(to + 2 * four);
        Avx512F.Shuffle4x128(highAB, highCD, 0b11_01_11_01).Store(to + 3 * four);
    }

    [MethodImpl(KernelMethod.Compiled)]
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
