using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>What <see cref="PackedGemv"/> adds up: the products of pairs of groups, scaled, but not yet corrected for the offset.</summary>
internal static unsafe class PackedSums
{
    private static readonly int[] Numbers = [0, 1, 2, 3, 4, 5, 6, 7];

    /// <summary>The sum with one of four pairs added.</summary>
    /// <param name="codes">As <see cref="ICodes.LoadPair"/> gives them.</param>
    /// <param name="x">The pair's codes of a row.</param>
    /// <param name="scales">The scales of eight groups, times those of the row.</param>
    /// <param name="places"><see cref="PlacesOf"/>.</param>
    /// <param name="pair">Which of the four.</param>
    /// <param name="sum">The sum.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 Add<TCodes>((Vector256<byte> First, Vector256<byte> Second) codes, sbyte* x, Vector256<float> scales,
        Vector256<int> places, int pair, Floats8 sum)
        where TCodes : struct, ICodes => TCodes.JoinsHalves
            ? AddJoined(codes, x, Lanes(scales, places, 2 * pair, 2 * pair + 1), sum)
            : AddBoth(codes, x, Lane(scales, 2 * pair), Lane(scales, 2 * pair + 1), sum);

    // The first group's products are in the lower lanes, the second one's in the upper ones.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Floats8 AddJoined((Vector256<byte> First, Vector256<byte> Second) halves, sbyte* x, Vector256<float> scales, Floats8 sum)
    {
        var first = ByteProducts.SumsOfFour(halves.First, Vector256.Load(x), Vector256<int>.Zero);
        var both = ByteProducts.SumsOfFour(halves.Second, Vector256.Load(x + PackedWeight.GroupWidth), first);
        return Floats8.MultiplyAdd(new(Vector256.ConvertToSingle(both)), new(scales), sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Floats8 AddBoth((Vector256<byte> First, Vector256<byte> Second) groups, sbyte* x, Vector256<float> firstScale,
        Vector256<float> secondScale, Floats8 sum)
    {
        sum = Add(groups.First, x, firstScale, sum);
        return Add(groups.Second, x + PackedWeight.GroupWidth, secondScale, sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Floats8 Add(Vector256<byte> group, sbyte* x, Vector256<float> scale, Floats8 sum) => Floats8.MultiplyAdd(
        new(Vector256.ConvertToSingle(ByteProducts.SumsOfFour(group, Vector256.Load(x), Vector256<int>.Zero))), new(scale), sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Lane(Vector256<float> scales, int lane) => Lanes(scales, Vector256.Create(lane), lane, lane);

    // One scale in the lower lanes, and one in the upper ones. Numbers that are read back from what was just written would be waited for.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Lanes(Vector256<float> scales, Vector256<int> places, int lower, int upper) => Avx2.IsSupported
        ? Avx2.PermuteVar8x32(scales, places)
        : Vector256.Create(Vector128.Create(scales[lower]), Vector128.Create(scales[upper]));

    /// <summary>Where a pair's scales are among eight, each in half of the lanes.</summary>
    /// <remarks>Read from memory before a loop, these stay in registers; a constant would be read for every pair.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> PlacesOf(int pair) =>
        Vector256.Create(Vector128.Create(Numbers[2 * pair]), Vector128.Create(Numbers[2 * pair + 1]));

    /// <summary>
    /// The sum of an output's last groups, of which there are not enough to widen their scales together. A method of its own, since
    /// a loop that it were a part of would keep registers for it.
    /// </summary>
    [MethodImpl(KernelMethod.Compiled)]
    public static float Rest<TCodes>(RoundedRows rows, int row, byte* w, ushort* scales, int group, int groups)
        where TCodes : struct, ICodes
    {
        var (sum, corrected) = (default(Floats8), 0f);
        for (; group < groups; group += 2, w += 2 * TCodes.GroupBytes)
        {
            var isPair = group + 1 < groups;
            var codes = isPair ? TCodes.LoadPair(w) : TCodes.LoadLast(w);
            var x = rows.Codes(row) + group * PackedWeight.GroupWidth;
            var (first, second) = (BFloat16Element.Get(scales, group), isPair ? BFloat16Element.Get(scales, group + 1) : 0);
            corrected += first * rows.Corrections(row)[group] + (isPair ? second * rows.Corrections(row)[group + 1] : 0);
            var (lower, upper) = (Vector128.Create(first * rows.Scales(row)[group]),
                Vector128.Create(isPair ? second * rows.Scales(row)[group + 1] : 0));
            sum = TCodes.JoinsHalves ? AddJoined(codes, x, Vector256.Create(lower, upper), sum)
                : AddBoth(codes, x, Vector256.Create(lower, lower), Vector256.Create(upper, upper), sum);
        }
        return LaneSums.Sum(sum) + corrected;
    }

    /// <summary>Four scales of weights, and zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> WidenFour(ushort* scales) => (Vector256.Create(
        Vector128.WidenLower(Vector128.CreateScalar(*(ulong*)scales).AsUInt16()), default) << BFloat16Element.HalfBits).AsSingle();

    /// <summary>Four numbers, and zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Four(float* numbers) => Vector256.Create(Vector128.Load(numbers), default);

    /// <summary>Eight scales of weights.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Widen(ushort* scales) =>
        (Vector256.Create(Vector128.WidenLower(Vector128.Load(scales)), Vector128.WidenUpper(Vector128.Load(scales)))
            << BFloat16Element.HalfBits).AsSingle();
}
