using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Sums of products of bytes, exact.</summary>
/// <remarks>
/// The instruction that multiplies bytes takes one factor without a sign. So weights come with an offset that makes them so; what it
/// adds to the sums of a group depends on the other factor alone, and is taken off by whoever adds up groups.
/// </remarks>
internal static class ByteProducts
{
    /// <summary>What is added to weights.</summary>
    public const int Offset = 128;

    /// <summary>What is to be added to a group's sum to take the offset off; nothing where no instruction needs the offset.</summary>
    /// <param name="b">The group's factors that have a sign.</param>
    public static int Correction(Vector256<sbyte> b) =>
        AvxVnni.IsSupported ? -Offset * Vector256.Sum(SumsOfFour(Vector256<sbyte>.One, b)) : 0;

    /// <summary>The sums of the products of four neighbours each, and of others, without the correction.</summary>
    /// <param name="a">Factors with <see cref="Offset"/> added.</param>
    /// <param name="b">Factors from -127 to 127.</param>
    /// <param name="others">The others' sums.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> SumsOfFour(Vector256<byte> a, Vector256<sbyte> b, Vector256<int> others) => AvxVnni.IsSupported
        ? AvxVnni.MultiplyWideningAndAdd(others, a, b)
        : SumsOfFour((a ^ Vector256.Create((byte)Offset)).AsSByte(), b) + others;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> SumsOfFour(Vector256<sbyte> a, Vector256<sbyte> b)
    {
        if (!Avx2.IsSupported)
            return Vector256.Create(SumsOfFour(a.GetLower(), b.GetLower()), SumsOfFour(a.GetUpper(), b.GetUpper()));
        // Sums of two are 2 · 128 · 127 at most, which a short holds.
        var sumsOfTwo = Avx2.MultiplyAddAdjacent(Vector256.Abs(a).AsByte(), Avx2.Sign(b, a));
        return Avx2.MultiplyAddAdjacent(sumsOfTwo, Vector256<short>.One);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> SumsOfFour(Vector128<sbyte> a, Vector128<sbyte> b)
    {
        if (Ssse3.IsSupported)
        {
            var sumsOfTwo = Ssse3.MultiplyAddAdjacent(Vector128.Abs(a).AsByte(), Ssse3.Sign(b, a));
            return Sse2.MultiplyAddAdjacent(sumsOfTwo, Vector128<short>.One);
        }
        var (lowA, highA) = Vector128.Widen(a);
        var (lowB, highB) = Vector128.Widen(b);
        var (low, high) = (SumsOfTwo(lowA, lowB), SumsOfTwo(highA, highB));
        // Even lanes and odd lanes, which are neighbours' sums.
        return Vector128.Create(low[0], low[2], high[0], high[2]) + Vector128.Create(low[1], low[3], high[1], high[3]);
    }

    private static Vector128<int> SumsOfTwo(Vector128<short> a, Vector128<short> b)
    {
        var (low, high) = (Vector128.WidenLower(a) * Vector128.WidenLower(b), Vector128.WidenUpper(a) * Vector128.WidenUpper(b));
        return Vector128.Create(low[0] + low[1], low[2] + low[3], high[0] + high[1], high[2] + high[3]);
    }
}
