using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>bfloat16: the upper half of a float32, rounded to nearest, ties to even.</summary>
internal readonly unsafe struct BFloat16Element : IElement
{
    private const int HalfBits = 16;
    private const ushort NotANumber = 0x7FC0;

    public static ScalarType Type => ScalarType.BFloat16;

    public static int Size => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Get(void* memory, long index) =>
        BitConverter.UInt32BitsToSingle((uint)((ushort*)memory)[index] << HalfBits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(void* memory, long index, float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        ((ushort*)memory)[index] = float.IsNaN(value)
            ? NotANumber
            : (ushort)((bits + 0x7FFF + ((bits >> HalfBits) & 1)) >> HalfBits);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(void* memory, long index)
    {
        var halves = Vector256.Load((ushort*)memory + index);
        var wide = Avx512F.IsSupported
            ? Avx512F.ConvertToVector512UInt32(halves)
            : Vector512.Create(Vector256.WidenLower(halves), Vector256.WidenUpper(halves));
        return (wide << HalfBits).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(void* memory, long index, Vector512<float> values)
    {
        var bits = values.AsUInt32();
        var rounded = (bits + Vector512.Create(0x7FFFu) + ((bits >> HalfBits) & Vector512<uint>.One)) >> HalfBits;
        var result = Vector512.ConditionalSelect(
            Vector512.Equals(values, values).AsUInt32(), rounded, Vector512.Create((uint)NotANumber));
        Vector256.Narrow(result.GetLower(), result.GetUpper()).Store((ushort*)memory + index);
    }
}
