using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Rows of activations, rounded to bytes a group of 32 at a time, in memory that the thread keeps.</summary>
internal readonly unsafe ref struct RoundedRows
{
    private const float Largest = 127;
    private const int Alignment = 64;
    private const int HalfWidth = PackedWeight.GroupWidth / 2;

    // What 127 can be divided by, and is a number still. What is smaller counts as zero.
    private const float Least = 1e-36f;

    /// <summary>Codes of two neighbouring groups.</summary>
    public const int PairWidth = 2 * PackedWeight.GroupWidth;

    [ThreadStatic]
    private static byte[]? _memory;

    private readonly sbyte* _codes;
    private readonly float* _corrections;
    private readonly float* _scales;
    private readonly int _groups;

    private RoundedRows(byte* memory, int rows, int groups)
    {
        _codes = (sbyte*)memory;
        _corrections = (float*)(memory + (long)rows * CodesOf(groups));
        _scales = _corrections + (long)rows * groups;
        _groups = groups;
    }

    /// <summary>Rounds rows; until the thread rounds others.</summary>
    /// <param name="x">[rows, width], <paramref name="xStride"/> apart.</param>
    /// <param name="xStride">Elements from a row to the next.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="width">Numbers of a row.</param>
    /// <param name="joinsHalves">Whether a pair of groups begins with the first halves of both.</param>
    public static RoundedRows Of(float* x, long xStride, int rows, int width, bool joinsHalves)
    {
        var groups = PackedWeight.GroupsOf(width);
        var bytes = (long)rows * (CodesOf(groups) + 2 * sizeof(float) * groups) + Alignment;
        if (_memory is null || _memory.Length < bytes)
            _memory = GC.AllocateUninitializedArray<byte>(checked((int)bytes), pinned: true);
        var address = (nint)Unsafe.AsPointer(ref _memory[0]);
        var result = new RoundedRows((byte*)((address + Alignment - 1) / Alignment * Alignment), rows, groups);
        for (var row = 0; row < rows; row++)
            result.Round(row, x + row * xStride, width, joinsHalves);
        return result;
    }

    /// <summary>
    /// A row's codes, [pairs of groups, 64]; what the row lacks to whole pairs is zero.
    /// </summary>
    public sbyte* Codes(int row) => _codes + (long)row * CodesOf(_groups);

    /// <summary>A row's corrections, [groups]: <see cref="ByteProducts.Correction"/> times the scale.</summary>
    public float* Corrections(int row) => _corrections + (long)row * _groups;

    /// <summary>A row's scales, [groups].</summary>
    public float* Scales(int row) => _scales + (long)row * _groups;

    private static int CodesOf(int groups) => (groups + 1) / 2 * PairWidth;

    private void Round(int row, float* x, int width, bool joinsHalves)
    {
        var whole = width / PackedWeight.GroupWidth;
        if (_groups % 2 == 1)
            new Span<sbyte>(Codes(row) + CodesOf(_groups) - PairWidth, PairWidth).Clear();
        Round(x, 0, whole, Codes(row), Corrections(row), Scales(row), joinsHalves);
        if (whole == _groups)
            return;
        var rest = stackalloc float[PackedWeight.GroupWidth];
        var count = width - whole * PackedWeight.GroupWidth;
        new Span<float>(rest, PackedWeight.GroupWidth).Clear();
        new ReadOnlySpan<float>(x + whole * PackedWeight.GroupWidth, count).CopyTo(new Span<float>(rest, count));
        Round(rest, whole, _groups, Codes(row), Corrections(row), Scales(row), joinsHalves);
    }

    // Of zeros the scale is zero, and so are the codes; of what is no number the scale is none.
    [MethodImpl(KernelMethod.Compiled)]
    private static void Round(float* x, int first, int end, sbyte* codes, float* corrections, float* scales, bool joinsHalves)
    {
        var (toOther, toHalf) = joinsHalves ? (HalfWidth, PackedWeight.GroupWidth) : (PackedWeight.GroupWidth, HalfWidth);
        for (var group = first; group < end; group++, x += PackedWeight.GroupWidth)
        {
            var (a, b, c, d) = (Vector256.Load(x), Vector256.Load(x + 8), Vector256.Load(x + 16), Vector256.Load(x + 24));
            var largest = Greatest(Vector256.Max(
                Vector256.Max(Vector256.Abs(a), Vector256.Abs(b)), Vector256.Max(Vector256.Abs(c), Vector256.Abs(d))));
            var inverse = Vector256.Create(largest >= Least ? Largest / largest : 0);
            var rounded = Pack(Round(a * inverse), Round(b * inverse), Round(c * inverse), Round(d * inverse));
            var to = codes + group / 2 * PairWidth + group % 2 * toOther;
            rounded.GetLower().Store(to);
            rounded.GetUpper().Store(to + toHalf);
            scales[group] = largest / Largest;
            corrections[group] = scales[group] * ByteProducts.Correction(rounded);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Greatest(Vector256<float> numbers)
    {
        var four = Vector128.Max(numbers.GetLower(), numbers.GetUpper());
        var two = Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Vector128.Max(two, Vector128.Shuffle(two, Vector128.Create(1, 0, 3, 2)))[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<sbyte> Pack(Vector256<int> a, Vector256<int> b, Vector256<int> c, Vector256<int> d)
    {
        if (!Avx2.IsSupported)
            return Vector256.Narrow(Vector256.Narrow(a, b), Vector256.Narrow(c, d));
        // Packing takes the halves of both in turn, four numbers of each at a time.
        var bytes = Avx2.PackSignedSaturate(Avx2.PackSignedSaturate(a, b), Avx2.PackSignedSaturate(c, d));
        return Avx2.PermuteVar8x32(bytes.AsInt32(), Vector256.Create(0, 4, 1, 5, 2, 6, 3, 7)).AsSByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Round(Vector256<float> numbers) => Vector256.ConvertToInt32Native(Vector256.Round(numbers));
}
