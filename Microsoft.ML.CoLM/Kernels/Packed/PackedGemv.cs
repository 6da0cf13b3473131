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

    // With one more of what corrects them.
    private static int SumsOfRow => (SumsAtOnce + 1) * Floats8.Count;

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
        var rounded = RoundedRows.Of(x, xStride, rows, width, TCodes.JoinsHalves);
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
        var xScales = rows.Scales(row);
        var corrections = rows.Corrections(row);
        // Read here, they stay in registers; as constants they would be read again for every pair.
        var (p0, p1, p2, p3) = (PackedSums.PlacesOf(0), PackedSums.PlacesOf(1), PackedSums.PlacesOf(2), PackedSums.PlacesOf(3));
        var w = codes + (long)first * groups * TCodes.GroupBytes;
        var s = scales + (long)first * groups;
        for (var output = first; output < end; output++, s += groups)
        {
            Floats8 a = default, b = default, c = default, d = default, corrected = default;
            var from = x;
            var group = 0;
            for (; group + ScalesAtOnce <= groups; group += ScalesAtOnce)
            {
                Prefetch(w, TCodes.GroupBytes);
                var wide = PackedSums.Widen(s + group);
                var scales8 = wide * Vector256.Load(xScales + group);
                corrected = Floats8.MultiplyAdd(new(wide), Floats8.Load(corrections + group), corrected);
                a = PackedSums.Add<TCodes>(TCodes.LoadPair(w), from, scales8, p0, 0, a);
                b = PackedSums.Add<TCodes>(TCodes.LoadPair(w + 2 * TCodes.GroupBytes), from + RoundedRows.PairWidth, scales8, p1, 1, b);
                c = PackedSums.Add<TCodes>(TCodes.LoadPair(w + 4 * TCodes.GroupBytes), from + 2 * RoundedRows.PairWidth, scales8, p2, 2, c);
                d = PackedSums.Add<TCodes>(TCodes.LoadPair(w + 6 * TCodes.GroupBytes), from + 3 * RoundedRows.PairWidth, scales8, p3, 3, d);
                w += ScalesAtOnce * TCodes.GroupBytes;
                from += ScalesAtOnce * PackedWeight.GroupWidth;
            }
            if (group + ScalesAtOnce / 2 <= groups)
            {
                var wide = PackedSums.WidenFour(s + group);
                var scales4 = wide * PackedSums.Four(xScales + group);
                corrected = Floats8.MultiplyAdd(new(wide), new(PackedSums.Four(corrections + group)), corrected);
                a = PackedSums.Add<TCodes>(TCodes.LoadPair(w), from, scales4, p0, 0, a);
                b = PackedSums.Add<TCodes>(TCodes.LoadPair(w + 2 * TCodes.GroupBytes), from + RoundedRows.PairWidth, scales4, p1, 1, b);
                w += ScalesAtOnce / 2 * TCodes.GroupBytes;
                group += ScalesAtOnce / 2;
            }
            var sum = LaneSums.Sum(((a + c) + (b + d)) + corrected);
            if (group < groups)
            {
                sum += PackedSums.Rest<TCodes>(rows, row, w, s, group, groups);
                w += (groups - group) * TCodes.GroupBytes;
            }
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
        var sums = stackalloc float[RowsAtOnce * SumsOfRow];
        var (p0, p1, p2, p3) = (PackedSums.PlacesOf(0), PackedSums.PlacesOf(1), PackedSums.PlacesOf(2), PackedSums.PlacesOf(3));
        var w = codes + (long)first * groups * TCodes.GroupBytes;
        var s = scales + (long)first * groups;
        for (var output = first; output < end; output++, s += groups)
        {
            new Span<float>(sums, count * SumsOfRow).Clear();
            var group = 0;
            for (; group + ScalesAtOnce <= groups; group += ScalesAtOnce, w += ScalesAtOnce * TCodes.GroupBytes)
            {
                Prefetch(w, TCodes.GroupBytes);
                var (w0, w1) = (TCodes.LoadPair(w), TCodes.LoadPair(w + 2 * TCodes.GroupBytes));
                var (w2, w3) = (TCodes.LoadPair(w + 4 * TCodes.GroupBytes), TCodes.LoadPair(w + 6 * TCodes.GroupBytes));
                var wide = PackedSums.Widen(s + group);
                for (var i = 0; i < count; i++)
                {
                    var x = rows.Codes(row + i) + group * PackedWeight.GroupWidth;
                    var scales8 = wide * Vector256.Load(rows.Scales(row + i) + group);
                    var sum = sums + i * SumsOfRow;
                    var corrected = sum + SumsAtOnce * Floats8.Count;
                    Floats8.MultiplyAdd(new(wide), Floats8.Load(rows.Corrections(row + i) + group), Floats8.Load(corrected)).Store(corrected);
                    var (a, b, c, d) = FourVectors.Load<Floats8>(sum);
                    a = PackedSums.Add<TCodes>(w0, x, scales8, p0, 0, a);
                    b = PackedSums.Add<TCodes>(w1, x + RoundedRows.PairWidth, scales8, p1, 1, b);
                    c = PackedSums.Add<TCodes>(w2, x + 2 * RoundedRows.PairWidth, scales8, p2, 2, c);
                    d = PackedSums.Add<TCodes>(w3, x + 3 * RoundedRows.PairWidth, scales8, p3, 3, d);
                    FourVectors.Store(a, b, c, d, sum);
                }
            }
            if (group + ScalesAtOnce / 2 <= groups)
            {
                var (w0, w1, wide) = (TCodes.LoadPair(w), TCodes.LoadPair(w + 2 * TCodes.GroupBytes), PackedSums.WidenFour(s + group));
                for (var i = 0; i < count; i++)
                {
                    var x = rows.Codes(row + i) + group * PackedWeight.GroupWidth;
                    var scales4 = wide * PackedSums.Four(rows.Scales(row + i) + group);
                    var sum = sums + i * SumsOfRow;
                    var corrected = sum + SumsAtOnce * Floats8.Count;
                    Floats8.MultiplyAdd(new(wide), new(PackedSums.Four(rows.Corrections(row + i) + group)), Floats8.Load(corrected)).Store(corrected);
                    PackedSums.Add<TCodes>(w0, x, scales4, p0, 0, Floats8.Load(sum)).Store(sum);
                    sum += Floats8.Count;
                    PackedSums.Add<TCodes>(w1, x + RoundedRows.PairWidth, scales4, p1, 1, Floats8.Load(sum)).Store(sum);
                }
                w += ScalesAtOnce / 2 * TCodes.GroupBytes;
                group += ScalesAtOnce / 2;
            }
            for (var i = 0; i < count; i++)
            {
                var (a, b, c, d) = FourVectors.Load<Floats8>(sums + i * SumsOfRow);
                var corrected = Floats8.Load(sums + i * SumsOfRow + SumsAtOnce * Floats8.Count);
                var result = LaneSums.Sum(((a + c) + (b + d)) + corrected);
                if (group < groups)
                    result += PackedSums.Rest<TCodes>(rows, row + i, w, s, group, groups);
                var to = y + i * yStride + output;
                *to = adds ? *to + result : result;
            }
            w += (groups - group) * TCodes.GroupBytes;
        }
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
