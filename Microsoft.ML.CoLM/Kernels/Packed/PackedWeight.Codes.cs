using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <inheritdoc/>
/// <typeparam name="TCodes">How groups are packed.</typeparam>
internal sealed unsafe class PackedWeight<TCodes>(Tensor codes, Tensor scales, int width) : PackedWeight(codes, scales, width)
    where TCodes : struct, ICodes
{
    private readonly nint _codes = codes.device_type == DeviceType.CPU ? TensorMemory.Address(codes) : 0;
    private readonly nint _scales = scales.device_type == DeviceType.CPU ? TensorMemory.Address(scales) : 0;

    public override PackedWeight With(Tensor codes, Tensor scales) => new PackedWeight<TCodes>(codes, scales, Width);

    public override void Widen(int output, int first, int count, float* to)
    {
        var whole = stackalloc float[GroupWidth];
        var end = first + count;
        while (first < end)
        {
            var (group, start) = (first / GroupWidth, first % GroupWidth);
            var (codes, scale) = (TCodes.Load(Group(output, group)), Scale(output, group));
            if (start == 0 && first + GroupWidth <= end)
            {
                Widen(codes, scale, to);
                first += GroupWidth;
                to += GroupWidth;
                continue;
            }
            Widen(codes, scale, whole);
            var some = Math.Min(GroupWidth - start, end - first);
            new ReadOnlySpan<float>(whole + start, some).CopyTo(new Span<float>(to, some));
            first += some;
            to += some;
        }
    }

    public override void Pack(int output, ReadOnlySpan<float> weights)
    {
        Span<float> whole = stackalloc float[GroupWidth];
        for (var group = 0; group < Groups; group++)
        {
            Fill(weights, group, whole);
            SetScale(output, group, TCodes.Pack(whole, Group(output, group)));
        }
    }

    public override void PackByScales(int output, ReadOnlySpan<float> weights)
    {
        Span<float> whole = stackalloc float[GroupWidth];
        for (var group = 0; group < Groups; group++)
        {
            Fill(weights, group, whole);
            TCodes.Pack(whole, Scale(output, group), Group(output, group));
        }
    }

    public override float BestScale(ReadOnlySpan<float> weights)
    {
        Span<float> whole = stackalloc float[GroupWidth];
        Fill(weights, 0, whole);
        var group = stackalloc byte[GroupWidth];
        return TCodes.Pack(whole, group);
    }

    public override float Nearest(float weight) => TCodes.Nearest(weight);

    public override void MultiplyRounded(
        float* x, long xStride, int rows, int first, int end, float* y, long yStride, bool adds) =>
        PackedGemv.Multiply<TCodes>(x, xStride, rows, (byte*)_codes, (ushort*)_scales, Width, first, end, y, yStride, adds);

    protected override Tensor Numbers(Tensor codes)
    {
        if (codes.dtype == ScalarType.Int8)
            return codes;
        using var scope = NewDisposeScope();
        var book = tensor(Int4Codes.Book.ToArray(), dtype: ScalarType.Int8, device: codes.device);
        var groups = codes.to(ScalarType.Int64).view(codes.size(0), Groups, TCodes.GroupBytes);
        using var sixteen = 16.ToScalar();
        var places = cat([groups.remainder(sixteen), groups.div(sixteen, RoundingMode.floor)], dim: -1);
        return book.index_select(0, places.view(-1)).view(codes.size(0), -1).MoveToOuterDisposeScope();
    }

    private byte* Group(int output, int group) => (byte*)_codes + ((long)output * Groups + group) * TCodes.GroupBytes;

    public override float Scale(int output, int group) => BFloat16Element.Get((void*)_scales, (long)output * Groups + group);

    public override void SetScale(int output, int group, float scale) =>
        BFloat16Element.Set((void*)_scales, (long)output * Groups + group, scale);

    private static void Fill(ReadOnlySpan<float> weights, int group, Span<float> whole)
    {
        var first = group * GroupWidth;
        var count = Math.Min(GroupWidth, weights.Length - first);
        weights.Slice(first, count).CopyTo(whole);
        whole[count..].Clear();
    }

    private static void Widen(Vector256<sbyte> codes, float scale, float* to)
    {
        if (Avx512F.IsSupported)
        {
            var wide = Vector512.Create(scale);
            (Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(codes.GetLower())) * wide).Store(to);
            (Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(codes.GetUpper())) * wide).Store(to + Vector512<float>.Count);
            return;
        }
        var (low, high) = Vector256.Widen(codes);
        var scales = Vector256.Create(scale);
        Store(low, to);
        Store(high, to + Vector256<short>.Count);

        void Store(Vector256<short> numbers, float* at)
        {
            var (first, second) = Vector256.Widen(numbers);
            (Vector256.ConvertToSingle(first) * scales).Store(at);
            (Vector256.ConvertToSingle(second) * scales).Store(at + Vector256<float>.Count);
        }
    }
}
