using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Half a byte a weight: its place in a code book. Byte j of a group holds weight j in its lower half and weight j + 16 in
/// its upper one.
/// </summary>
/// <remarks>
/// Weights are nearly normally distributed, so the code book's numbers are dense around zero, which is one of them: what is
/// zero stays so. They are those of least squared error on groups of normally distributed numbers, each with its best scale
/// (Lloyd 1982); <c>Benchmarks quantize-error --fit</c> finds such, and compares the error with evenly spaced numbers and with
/// a scale and an offset a group.
/// </remarks>
internal readonly unsafe struct Int4Codes : ICodes
{
    private const int HalfBits = 4;
    private const int Half = PackedWeight.GroupWidth / 2;

    // A scale is searched for between these shares of what the largest weight asks for, in both directions, since the code
    // book reaches farther below zero than above.
    private const int Candidates = 8;
    private const float FirstShare = 0.76f;
    private const float LastShare = 1.24f;

    // Least squares find the best scale for some codes, and that scale's nearest codes may be others.
    private const int Refinements = 2;

    // Of what is a number and not too small to have all its digits.
    private const int MostExponent = 126;

    public static ReadOnlySpan<sbyte> Book => [-127, -100, -78, -62, -47, -34, -22, -11, 0, 12, 23, 36, 50, 65, 82, 105];

    public static int GroupBytes => Half;

    public static ScalarType Type => ScalarType.Byte;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Load(byte* group) => Look(group, Table);

    public static bool JoinsHalves => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector256<byte> First, Vector256<byte> Second) LoadPair(byte* groups) => LookUnsigned(Vector256.Load(groups));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector256<byte> First, Vector256<byte> Second) LoadLast(byte* group) =>
        LookUnsigned(Vector256.Create(Vector128.Load(group), default));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<byte> First, Vector256<byte> Second) LookUnsigned(Vector256<byte> halves)
    {
        var table = Table.AsByte() ^ Vector128.Create((byte)ByteProducts.Offset);
        var (table2, places) = (Vector256.Create(table, table), Vector256.Create((byte)0xF));
        var upper = (halves.AsUInt16() >>> HalfBits).AsByte();
        return (Look(table2, halves & places), Look(table2, upper & places));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Look(Vector256<byte> tables, Vector256<byte> places) => Avx2.IsSupported
        ? Avx2.Shuffle(tables, places)
        : Vector256.Create(Vector128.Shuffle(tables.GetLower(), places.GetLower()), Vector128.Shuffle(tables.GetLower(), places.GetUpper()));

    private static Vector128<sbyte> Table
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector128.Create((sbyte)-127, -100, -78, -62, -47, -34, -22, -11, 0, 12, 23, 36, 50, 65, 82, 105);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<sbyte> Look(byte* group, Vector128<sbyte> table)
    {
        var places = Vector128.Create((byte)0xF);
        if (!Avx2.IsSupported)
        {
            var halves = Vector128.Load(group);
            return Vector256.Create(Vector128.Shuffle(table, (halves & places).AsSByte()),
                Vector128.Shuffle(table, (halves >>> HalfBits).AsSByte()));
        }
        var both = Avx2.ShiftRightLogicalVariable(
            Avx2.BroadcastVector128ToVector256(group).AsUInt64(), Vector256.Create(0ul, 0, HalfBits, HalfBits)).AsByte();
        return Avx2.Shuffle(Vector256.Create(table, table), (both & Vector256.Create(places, places)).AsSByte());
    }

    public static float Pack(ReadOnlySpan<float> weights, byte* group)
    {
        var largest = PackedScale.LargestMagnitude(weights);
        if (largest == 0)
        {
            Pack(weights, PackedScale.AtLeast(0), group);
            return PackedScale.AtLeast(0);
        }
        // As far from the ends of what a float holds as can be, by a power of two, which rounds nothing.
        var exponent = Math.Clamp(MathF.ILogB(largest), -MostExponent, MostExponent);
        Span<float> near = stackalloc float[weights.Length];
        for (var i = 0; i < near.Length; i++)
            near[i] = MathF.ScaleB(weights[i], -exponent);
        var scale = PackedScale.Nearest(MathF.ScaleB(BestScale(near, MathF.ScaleB(largest, -exponent)), exponent));
        Pack(weights, scale, group);
        return scale;
    }

    private static float BestScale(ReadOnlySpan<float> weights, float largest)
    {
        var (best, least) = (PackedScale.AtLeast(largest / -Book[0]), float.PositiveInfinity);
        for (var candidate = 0; candidate < 2 * Candidates; candidate++)
        {
            var share = FirstShare + (LastShare - FirstShare) * (candidate / 2) / (Candidates - 1);
            // Of a negative scale, the book's farther end is the positive weights'.
            var scale = candidate % 2 == 0 ? share * largest / Book[^1] : share * largest / Book[0];
            for (var refinement = 0; refinement < Refinements; refinement++)
            {
                scale = PackedScale.Nearest(scale);
                var (error, fitted) = CodeBookError.Of(weights, scale);
                if (error < least)
                    (best, least) = (scale, error);
                if (!float.IsNormal(fitted))
                    break;
                scale = fitted;
            }
        }
        return best;
    }

    public static void Pack(ReadOnlySpan<float> weights, float scale, byte* group)
    {
        for (var i = 0; i < Half; i++)
            group[i] = (byte)(Place(weights[i] / scale) | (Place(weights[i + Half] / scale) << HalfBits));
    }

    public static float Nearest(float weight) => Book[Place(weight)];

    private static int Place(float weight)
    {
        var place = 0;
        foreach (var middle in CodeBookError.Middles)
            place += weight > middle ? 1 : 0;
        return place;
    }
}
