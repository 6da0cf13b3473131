using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Sixteen floats: the vectors of AVX-512.</summary>
/// <param name="lanes">The numbers.</param>
internal readonly unsafe struct Floats16(Vector512<float> lanes) : IFloats<Floats16>
{
    private readonly Vector512<float> _lanes = lanes;

    public static int Count => 16;

    public static bool HasManyRegisters => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 Create(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 Load(float* from) => new(Vector512.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 LoadBFloat16(ushort* from)
    {
        var halves = Vector256.Load(from);
        var wide = Avx512F.IsSupported
            ? Avx512F.ConvertToVector512UInt32(halves)
            : Vector512.Create(Vector256.WidenLower(halves), Vector256.WidenUpper(halves));
        return new((wide << BFloat16Element.HalfBits).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 MultiplyAdd(Floats16 a, Floats16 b, Floats16 c) =>
        new(Vector512.MultiplyAddEstimate(a._lanes, b._lanes, c._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 Min(Floats16 a, Floats16 b) => new(Vector512.Min(a._lanes, b._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 Max(Floats16 a, Floats16 b) => new(Vector512.MaxNative(a._lanes, b._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 Abs(Floats16 a) => new(Vector512.Abs(a._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 Sqrt(Floats16 a) => new(Vector512.Sqrt(a._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 WhereLess(Floats16 a, Floats16 b, Floats16 then, Floats16 otherwise) =>
        new(Vector512.ConditionalSelect(Vector512.LessThan(a._lanes, b._lanes), then._lanes, otherwise._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 Head(int count, Floats16 first, Floats16 second) => new(Vector512.ConditionalSelect(
        Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle(), first._lanes, second._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 FromExponents(Floats16 exponents) => new((exponents._lanes.AsInt32() << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 operator +(Floats16 a, Floats16 b) => new(a._lanes + b._lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 operator -(Floats16 a, Floats16 b) => new(a._lanes - b._lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 operator *(Floats16 a, Floats16 b) => new(a._lanes * b._lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats16 operator /(Floats16 a, Floats16 b) => new(a._lanes / b._lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* to) => _lanes.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreBFloat16(ushort* to)
    {
        var bits = _lanes.AsUInt32();
        var rounded = (bits + Vector512.Create(0x7FFFu) + ((bits >> BFloat16Element.HalfBits) & Vector512<uint>.One)) >>
            BFloat16Element.HalfBits;
        var result = Vector512.ConditionalSelect(
            Vector512.Equals(_lanes, _lanes).AsUInt32(), rounded, Vector512.Create((uint)BFloat16Element.NotANumber));
        Vector256.Narrow(result.GetLower(), result.GetUpper()).Store(to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<float> Fold() => new Floats8(_lanes.GetLower() + _lanes.GetUpper()).Fold();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Greatest() => new Floats8(Vector256.MaxNative(_lanes.GetLower(), _lanes.GetUpper())).Greatest();
}
