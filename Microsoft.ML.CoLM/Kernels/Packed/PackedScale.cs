using System.Numerics.Tensors;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>A group's scale, a bfloat16 number that is neither zero nor infinite.</summary>
internal static class PackedScale
{
    // Of a group of zeros, whose codes are all zero, and of one whose scale bfloat16 would make zero.
    private const float Least = 1e-30f;

    /// <summary>The largest absolute value; NaN where there is one.</summary>
    public static float LargestMagnitude(ReadOnlySpan<float> weights) => MathF.Abs(TensorPrimitives.MaxMagnitude(weights));

    /// <summary>The nearest scale.</summary>
    public static float Nearest(float scale)
    {
        var rounded = Rounded(BitConverter.SingleToUInt32Bits(scale) + 0x7FFF + ((BitConverter.SingleToUInt32Bits(scale) >> 16) & 1));
        return MathF.Abs(rounded) >= Least ? rounded : scale < 0 ? -Rounded(Least) : Rounded(Least);
    }

    /// <summary>The least scale that is not below a positive number, so that no code is beyond the last.</summary>
    public static float AtLeast(float scale) =>
        Rounded(BitConverter.SingleToUInt32Bits(MathF.Max(scale, Least)) + 0xFFFF);

    private static float Rounded(float number) => Rounded(BitConverter.SingleToUInt32Bits(number));

    private static float Rounded(uint bits)
    {
        var number = BitConverter.UInt32BitsToSingle(bits & 0xFFFF0000);
        return float.IsFinite(number) ? number : MathF.CopySign(BitConverter.UInt32BitsToSingle(0x7F7F0000), number);
    }
}
