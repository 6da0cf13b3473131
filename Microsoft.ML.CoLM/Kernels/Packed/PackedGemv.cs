using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Products of a few rows with packed weights, y = x · Wᵀ, at the speed at which memory gives the codes: activations are
/// rounded to bytes, a group of 32 at a time, so that a group's products are summed up as whole numbers.
/// </summary>
/// <remarks>
/// The weights are read from the first to the last, once for all rows. A group's sum is exact, and an output adds up its groups
/// in one order, so it is the same to the bit whatever rows are computed beside it.
/// </remarks>
internal static unsafe class PackedGemv
{
    // Rows whose activations stay in the first-level cache while an output's codes are used for all of them.
    private const int RowsAtOnce = 8;

    // Sums of an output: fewer would wait for their own last addition.
    private const int SumsAtOnce = 4;

    // Scales that are widened together.
    private const int ScalesAtOnce = 8;

    private const int CacheLine = 64;

    // So many bytes ahead of the reading, the processor is asked for codes.
    private const int Ahead = 4096;

    // Codes of a block of outputs that stay in the first-level cache while all rows use them.
    private const int BlockBytes = 1 << 14;

    /// <summary>Computes outputs <paramref name="first"/> to <paramref name="end"/> of every row.</summary>
    /// <param name="x">[rows, width], float32, <paramref name="xStride"/> apart.</param>
    /// <param name="xStride">Elements from a row of x to the next.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="codes">[outputs, groups], contiguous.</param>
    /// <param name="scales">[outputs, groups], bfloat16, contiguous.</param>
    /// <param name="width">Inputs of an output.</param>
    /// <param name="first">The first output.</param>
    /// <param name="end">The output after the last.</param>
    /// <param name="y">[rows, outputs], float32, <paramref name="yStride"/> apart.</param>
    /// <param name="yStride">Elements from a row of y to the next.</param>
    /// <param name="adds">Whether to add to y, or to replace it.</param>
    /// <typeparam name="TCodes">How groups are packed.</typeparam>
    public static void Multiply<TCodes>(
        float* x, long xStride, int rows, byte* codes, ushort* scales, int width, int first, int end, float* y, long yStride,
        bool adds)
        where TCodes : struct, ICodes
    {
        var rounded = RoundedRows.Of(x, xStride, rows, width);
        var groups = PackedWeight.GroupsOf(width);
        var block = Math.Max(1, BlockBytes / (groups * TCodes.GroupBytes));
        for (; first < end; first += block)
        {
            var blockEnd = rows == 1 ? end : Math.Min(end, first + block);
            for (var row = 0; row < rows; row += RowsAtOnce)
            {
                var count = Math.Min(RowsAtOnce, rows - row);
                var to = y + row * yStride;
                if (count == 1)
                    OneRow<TCodes>(rounded, row, codes, scales, groups, first, blockEnd, to, adds);
                else
                    SomeRows<TCodes>(rounded, row, count, codes, scales, groups, first, blockEnd, to, yStride, adds);
            }
            if (rows == 1)
                return;
        }
    }

    [MethodImpl(KernelMethod.Compiled)]
    private static void OneRow<TCodes>(
        RoundedRows rows, int row, byte* codes, ushort* scales, int groups, int first, int end, float* y, bool adds)
        where TCodes : struct, ICodes
    {
        var x = rows.Codes(row);
        var corrections = rows.Corrections(row);
        var xScales = rows.Scales(row);
        var w = codes + (long)first * groups * TCodes.GroupBytes;
        var s = scales + (long)first * groups;
        for (var output = first; output < end; output++, s += groups)
        {
            Floats8 a = default, b = default, c = default, d = default;
            var from = x;
            var correction = corrections;
            var group = 0;
            for (; group + ScalesAtOnce <= groups; group += ScalesAtOnce)
            {
                Prefetch(w, TCodes.GroupBytes);
                var products = Multiply(s + group, xScales + group);
                a = Add<TCodes>(w, from, correction, products, 0, a);
                b = Add<TCodes>(w, from, correction, products, 1, b);
                c = Add<TCodes>(w, from, correction, products, 2, c);
                d = Add<TCodes>(w, from, correction, products, 3, d);
                a = Add<TCodes>(w, from, correction, products, 4, a);
                b = Add<TCodes>(w, from, correction, products, 5, b);
                c = Add<TCodes>(w, from, correction, products, 6, c);
                d = Add<TCodes>(w, from, correction, products, 7, d);
                w += ScalesAtOnce * TCodes.GroupBytes;
                from += ScalesAtOnce * PackedWeight.GroupWidth;
                correction += ScalesAtOnce * RoundedRows.Lanes;
            }
            for (; group < groups; group++)
            {
                var products = Vector256.Create(BFloat16Element.Get(s, group) * xScales[group]);
                // In turn, as in whole blocks; what they add up to does not depend on whose turn was the last.
                (a, b, c, d) = (b, c, d, Add<TCodes>(w, from, correction, products, 0, a));
                w += TCodes.GroupBytes;
                from += PackedWeight.GroupWidth;
                correction += RoundedRows.Lanes;
            }
            var sum = LaneSums.Sum((a + c) + (b + d));
            y[output] = adds ? y[output] + sum : sum;
        }
    }

    // The codes of eight groups stay in registers while all rows use them.
    [MethodImpl(KernelMethod.Compiled)]
    private static void SomeRows<TCodes>(
        RoundedRows rows, int row, int count, byte* codes, ushort* scales, int groups, int first, int end, float* y, long yStride,
        bool adds)
        where TCodes : struct, ICodes
    {
        var sums = stackalloc float[RowsAtOnce * SumsAtOnce * Vector256<float>.Count];
        var w = codes + (long)first * groups * TCodes.GroupBytes;
        var s = scales + (long)first * groups;
        for (var output = first; output < end; output++, s += groups)
        {
            new Span<float>(sums, count * SumsAtOnce * Vector256<float>.Count).Clear();
            var group = 0;
            for (; group + ScalesAtOnce <= groups; group += ScalesAtOnce, w += ScalesAtOnce * TCodes.GroupBytes)
            {
                Prefetch(w, TCodes.GroupBytes);
                var (a0, a1) = (TCodes.LoadUnsigned(w), TCodes.LoadUnsigned(w + TCodes.GroupBytes));
                var (a2, a3) = (TCodes.LoadUnsigned(w + 2 * TCodes.GroupBytes), TCodes.LoadUnsigned(w + 3 * TCodes.GroupBytes));
                var (a4, a5) = (TCodes.LoadUnsigned(w + 4 * TCodes.GroupBytes), TCodes.LoadUnsigned(w + 5 * TCodes.GroupBytes));
                var (a6, a7) = (TCodes.LoadUnsigned(w + 6 * TCodes.GroupBytes), TCodes.LoadUnsigned(w + 7 * TCodes.GroupBytes));
                for (var i = 0; i < count; i++)
                {
                    var x = rows.Codes(row + i) + group * PackedWeight.GroupWidth;
                    var corrections = rows.Corrections(row + i) + group * RoundedRows.Lanes;
                    var products = Multiply(s + group, rows.Scales(row + i) + group);
                    var sum = sums + i * SumsAtOnce * Vector256<float>.Count;
                    var (a, b, c, d) = FourVectors.Load<Floats8>(sum);
                    a = Add(a0, x, corrections, products, 0, a);
                    b = Add(a1, x, corrections, products, 1, b);
                    c = Add(a2, x, corrections, products, 2, c);
                    d = Add(a3, x, corrections, products, 3, d);
                    a = Add(a4, x, corrections, products, 4, a);
                    b = Add(a5, x, corrections, products, 5, b);
                    c = Add(a6, x, corrections, products, 6, c);
                    d = Add(a7, x, corrections, products, 7, d);
                    FourVectors.Store(a, b, c, d, sum);
                }
            }
            for (; group < groups; group++, w += TCodes.GroupBytes)
            {
                var a = TCodes.LoadUnsigned(w);
                for (var i = 0; i < count; i++)
                {
                    var products = Vector256.Create(BFloat16Element.Get(s, group) * rows.Scales(row + i)[group]);
                    var sum = sums + (i * SumsAtOnce + group % SumsAtOnce) * Vector256<float>.Count;
                    Add(a, rows.Codes(row + i) + group * PackedWeight.GroupWidth, rows.Corrections(row + i) + group * RoundedRows.Lanes,
                        products, 0, Floats8.Load(sum)).Store(sum);
                }
            }
            for (var i = 0; i < count; i++)
            {
                var (a, b, c, d) = FourVectors.Load<Floats8>(sums + i * SumsAtOnce * Vector256<float>.Count);
                var result = LaneSums.Sum((a + c) + (b + d));
                var to = y + i * yStride + output;
                *to = adds ? *to + result : result;
            }
        }
    }

    // The sum with one of some neighbouring groups added.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Floats8 Add(
        Vector256<byte> a, sbyte* x, int* corrections, Vector256<float> scales, int group, Floats8 sum) =>
        Floats8.MultiplyAdd(
            new(Vector256.ConvertToSingle(ByteProducts.SumsOfFour(a, Vector256.Load(x + group * PackedWeight.GroupWidth),
                Vector256.Load(corrections + group * RoundedRows.Lanes)))),
            new(Lane(scales, Vector256.Create(group))), sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Floats8 Add<TCodes>(
        byte* groups, sbyte* x, int* corrections, Vector256<float> scales, int group, Floats8 sum)
        where TCodes : struct, ICodes =>
        Add(TCodes.LoadUnsigned(groups + group * TCodes.GroupBytes), x, corrections, scales, group, sum);

    // One lane in all lanes. A number that is read back from what was just written would be waited for.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Lane(Vector256<float> numbers, Vector256<int> lane) => Avx2.IsSupported
        ? Avx2.PermuteVar8x32(numbers, lane)
        : Vector256.Create(numbers[lane[0]]);

    // Scales of the weights times those of the row.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Multiply(ushort* scales, float* xScales)
    {
        var wide = Vector256.Create(Vector128.WidenLower(Vector128.Load(scales)), Vector128.WidenUpper(Vector128.Load(scales)));
        return (wide << BFloat16Element.HalfBits).AsSingle() * Vector256.Load(xScales);
    }

    // The cache lines of the next groups whose scales are widened together.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* codes, int groupBytes)
    {
        if (!Sse.IsSupported)
            return;
        for (var line = 0; line < ScalesAtOnce * groupBytes; line += CacheLine)
            Sse.Prefetch0(codes + Ahead + line);
    }
}
