using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>Looks for elements that are no numbers, NaN or infinite, by their bits.</summary>
internal static class FiniteBits
{
    // All bits of the exponent set: NaN or infinite, in every type of IEEE's kind.
    private const uint Float32Exponent = 0x7F80_0000;
    private const ushort BFloat16Exponent = 0x7F80;
    private const ushort Float16Exponent = 0x7C00;

    /// <summary>Whether every element of a type of weights is a finite number.</summary>
    public static bool AreAll(ReadOnlySpan<byte> elements, ScalarType type) => type switch
    {
        ScalarType.Float32 => AreAll(MemoryMarshal.Cast<byte, uint>(elements), Float32Exponent),
        ScalarType.BFloat16 => AreAll(MemoryMarshal.Cast<byte, ushort>(elements), BFloat16Exponent),
        ScalarType.Float16 => AreAll(MemoryMarshal.Cast<byte, ushort>(elements), Float16Exponent),
        _ => true,
    };

    // Four vectors at once keep pace with the cache. Optimised at once, since it runs once for each file that is loaded.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool AreAll<T>(ReadOnlySpan<T> elements, T exponent)
        where T : unmanaged, IBinaryInteger<T>
    {
        var mask = new Vector<T>(exponent);
        var vectors = MemoryMarshal.Cast<T, Vector<T>>(elements);
        Vector<T> first = default, second = default, third = default, fourth = default;
        var i = 0;
        for (; i <= vectors.Length - 4; i += 4)
        {
            first |= Vector.Equals(vectors[i] & mask, mask);
            second |= Vector.Equals(vectors[i + 1] & mask, mask);
            third |= Vector.Equals(vectors[i + 2] & mask, mask);
            fourth |= Vector.Equals(vectors[i + 3] & mask, mask);
        }
        if ((first | second | third | fourth) != Vector<T>.Zero)
            return false;
        foreach (var element in elements[(i * Vector<T>.Count)..])
        {
            if ((element & exponent) == exponent)
                return false;
        }
        return true;
    }
}
