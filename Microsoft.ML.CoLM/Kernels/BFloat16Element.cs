using System.Runtime.CompilerServices;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>bfloat16: the upper half of a float32, rounded to nearest, ties to even.</summary>
internal readonly unsafe struct BFloat16Element : IElement
{
    /// <summary>Bits of a float32 that are left out.</summary>
    public const int HalfBits = 16;

    /// <summary>The bits of what is not a number.</summary>
    public const ushort NotANumber = 0x7FC0;

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
    public static TFloats Load<TFloats>(void* memory, long index)
        where TFloats : struct, IFloats<TFloats> => TFloats.LoadBFloat16((ushort*)memory + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TFloats>(void* memory, long index, TFloats values)
        where TFloats : struct, IFloats<TFloats> => values.StoreBFloat16((ushort*)memory + index);
}
