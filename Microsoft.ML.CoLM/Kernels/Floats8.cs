using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Eight floats: the vectors of AVX2.</summary>
/// <param name="lanes">The numbers.</param>
internal readonly unsafe struct Floats8(Vector256<float> lanes) : IFloats<Floats8>
{
    private readonly Vector256<float> _lanes = lanes;

    public static int Count => 8;

    public static bool HasManyRegisters => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 Create(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 Load(float* from) => new(Vector256.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 LoadBFloat16(ushort* from)
    {
        var wide = Vector256.WidenLower(Vector128.Load(from).ToVector256Unsafe());
        return new((wide << BFloat16Element.HalfBits).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 MultiplyAdd(Floats8 a, Floats8 b, Floats8 c) =>
        new(Vector256.MultiplyAddEstimate(a._lanes, b._lanes, c._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 Min(Floats8 a, Floats8 b) => new(Vector256.Min(a._lanes, b._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 Max(Floats8 a, Floats8 b) => new(Vector256.MaxNative(a._lanes, b._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 Abs(Floats8 a) => new(Vector256.Abs(a._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 Sqrt(Floats8 a) => new(Vector256.Sqrt(a._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 WhereLess(Floats8 a, Floats8 b, Floats8 then, Floats8 otherwise) =>
        new(Vector256.ConditionalSelect(Vector256.LessThan(a._lanes, b._lanes), then._lanes, otherwise._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 Head(int count, Floats8 first, Floats8 second) => new(Vector256.ConditionalSelect(
        Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle(), first._lanes, second._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 FromExponents(Floats8 exponents) => new((exponents._lanes.AsInt32() << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 operator +(Floats8 a, Floats8 b) => new(a._lanes + b._lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 operator -(Floats8 a, Floats8 b) => new(a._lanes - b._lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 operator *(Floats8 a, Floats8 b) => new(a._lanes * b._lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats8 operator /(Floats8 a, Floats8 b) => new(a._lanes / b._lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* to) => _lanes.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreBFloat16(ushort* to)
    {
        var bits = _lanes.AsUInt32();
        var rounded = (bits + Vector256.Create(0x7FFFu) + ((bits >> BFloat16Element.HalfBits) & Vector256<uint>.One)) >>
            BFloat16Element.HalfBits;
        var result = Vector256.ConditionalSelect(
            Vector256.Equals(_lanes, _lanes).AsUInt32(), rounded, Vector256.Create((uint)BFloat16Element.NotANumber));
        Vector128.Narrow(result.GetLower(), result.GetUpper()).Store(to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<float> Fold() => _lanes.GetLower() + _lanes.GetUpper();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Greatest() => new Floats4(Vector128.MaxNative(_lanes.GetLower(), _lanes.GetUpper())).Greatest();
}
