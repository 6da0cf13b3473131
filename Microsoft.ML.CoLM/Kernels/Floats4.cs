using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Four floats: the vectors of SSE and of ARM.</summary>
/// <param name="lanes">The numbers.</param>
internal readonly unsafe struct Floats4(Vector128<float> lanes) : IFloats<Floats4>
{
    private readonly Vector128<float> _lanes = lanes;

    public static int Count => 4;

    public static bool HasManyRegisters => AdvSimd.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 Create(float value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 Load(float* from) => new(Vector128.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 LoadBFloat16(ushort* from)
    {
        var wide = Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(ulong*)from).AsUInt16());
        return new((wide << BFloat16Element.HalfBits).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 MultiplyAdd(Floats4 a, Floats4 b, Floats4 c) =>
        new(Vector128.MultiplyAddEstimate(a._lanes, b._lanes, c._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 Min(Floats4 a, Floats4 b) => new(Vector128.Min(a._lanes, b._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 Max(Floats4 a, Floats4 b) => new(Vector128.MaxNative(a._lanes, b._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 Abs(Floats4 a) => new(Vector128.Abs(a._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 Sqrt(Floats4 a) => new(Vector128.Sqrt(a._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 WhereLess(Floats4 a, Floats4 b, Floats4 then, Floats4 otherwise) =>
        new(Vector128.ConditionalSelect(Vector128.LessThan(a._lanes, b._lanes), then._lanes, otherwise._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 Head(int count, Floats4 first, Floats4 second) => new(Vector128.ConditionalSelect(
        Vector128.LessThan(Vector128<int>.Indices, Vector128.Create(count)).AsSingle(), first._lanes, second._lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 FromExponents(Floats4 exponents) => new((exponents._lanes.AsInt32() << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 operator +(Floats4 a, Floats4 b) => new(a._lanes + b._lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 operator -(Floats4 a, Floats4 b) => new(a._lanes - b._lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 operator *(Floats4 a, Floats4 b) => new(a._lanes * b._lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Floats4 operator /(Floats4 a, Floats4 b) => new(a._lanes / b._lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* to) => _lanes.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreBFloat16(ushort* to)
    {
        var bits = _lanes.AsUInt32();
        var rounded = (bits + Vector128.Create(0x7FFFu) + ((bits >> BFloat16Element.HalfBits) & Vector128<uint>.One)) >>
            BFloat16Element.HalfBits;
        var result = Vector128.ConditionalSelect(
            Vector128.Equals(_lanes, _lanes).AsUInt32(), rounded, Vector128.Create((uint)BFloat16Element.NotANumber));
        *(ulong*)to = Vector128.Narrow(result, result).AsUInt64().ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<float> Fold() => _lanes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Greatest()
    {
        var halves = Vector128.MaxNative(_lanes, Vector128.Shuffle(_lanes, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(halves, Vector128.Shuffle(halves, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }
}
