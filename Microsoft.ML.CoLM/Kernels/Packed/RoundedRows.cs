using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Rows of activations, rounded to bytes a group of 32 at a time, in memory that the thread keeps.</summary>
internal readonly unsafe ref struct RoundedRows
{
    private const float Largest = 127;
    private const int Alignment = 64;

    /// <summary>Whole numbers of a correction.</summary>
    public const int Lanes = 8;

    [ThreadStatic]
    private static byte[]? _memory;

    private readonly byte* _codes;
    private readonly int* _corrections;
    private readonly float* _scales;
    private readonly int _groups;

    private RoundedRows(byte* memory, int rows, int groups)
    {
        _codes = memory;
        _corrections = (int*)(memory + (long)rows * groups * PackedWeight.GroupWidth);
        _scales = (float*)(_corrections + (long)rows * groups * Lanes);
        _groups = groups;
    }

    /// <summary>Rounds rows; until the thread rounds others.</summary>
    /// <param name="x">[rows, width], <paramref name="xStride"/> apart.</param>
    /// <param name="xStride">Elements from a row to the next.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="width">Numbers of a row.</param>
    public static RoundedRows Of(float* x, long xStride, int rows, int width)
    {
        var groups = PackedWeight.GroupsOf(width);
        var bytes = (long)rows * groups * (PackedWeight.GroupWidth + Lanes * sizeof(int) + sizeof(float)) + Alignment;
        if (_memory is null || _memory.Length < bytes)
            _memory = GC.AllocateUninitializedArray<byte>(checked((int)bytes), pinned: true);
        var address = (nint)Unsafe.AsPointer(ref _memory[0]);
        var result = new RoundedRows((byte*)((address + Alignment - 1) / Alignment * Alignment), rows, groups);
        for (var row = 0; row < rows; row++)
            result.Round(row, x + row * xStride, width);
        return result;
    }

    /// <summary>A row's codes, [groups · 32]; what it lacks to whole groups is zero.</summary>
    public sbyte* Codes(int row) => (sbyte*)_codes + (long)row * _groups * PackedWeight.GroupWidth;

    /// <summary>A row's corrections, [groups, 8]: <see cref="ByteProducts.Correction"/>.</summary>
    public int* Corrections(int row) => _corrections + (long)row * _groups * Lanes;

    /// <summary>A row's scales, [groups].</summary>
    public float* Scales(int row) => _scales + (long)row * _groups;

    private void Round(int row, float* x, int width)
    {
        var codes = Codes(row);
        var corrections = Corrections(row);
        var scales = Scales(row);
        var whole = stackalloc float[PackedWeight.GroupWidth];
        for (var group = 0; group < _groups; group++, codes += PackedWeight.GroupWidth, x += PackedWeight.GroupWidth)
        {
            var from = x;
            var count = width - group * PackedWeight.GroupWidth;
            if (count < PackedWeight.GroupWidth)
            {
                new Span<float>(whole, PackedWeight.GroupWidth).Clear();
                new ReadOnlySpan<float>(x, count).CopyTo(new Span<float>(whole, count));
                from = whole;
            }
            scales[group] = Round(from, codes);
            ByteProducts.Correction(Vector256.Load(codes)).Store(corrections + group * Lanes);
        }
    }

    // Of zeros the scale is zero, and so are the codes.
    private static float Round(float* x, sbyte* codes)
    {
        var (a, b) = (Vector256.Load(x), Vector256.Load(x + 8));
        var (c, d) = (Vector256.Load(x + 16), Vector256.Load(x + 24));
        var magnitudes = Vector256.Max(
            Vector256.Max(Vector256.Abs(a), Vector256.Abs(b)), Vector256.Max(Vector256.Abs(c), Vector256.Abs(d)));
        var four = Vector128.Max(magnitudes.GetLower(), magnitudes.GetUpper());
        var largest = MathF.Max(MathF.Max(four[0], four[1]), MathF.Max(four[2], four[3]));
        var inverse = Vector256.Create(largest > 0 ? Largest / largest : 0);
        var shorts = (Vector256.Narrow(Round(a * inverse), Round(b * inverse)), Vector256.Narrow(Round(c * inverse), Round(d * inverse)));
        Vector256.Narrow(shorts.Item1, shorts.Item2).Store(codes);
        return largest / Largest;
    }

    private static Vector256<int> Round(Vector256<float> numbers) => Vector256.ConvertToInt32Native(Vector256.Round(numbers));
}
