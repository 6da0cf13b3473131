using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>A byte a weight, from -127 to 127.</summary>
internal readonly unsafe struct Int8Codes : ICodes
{
    private const float Largest = 127;

    public static int GroupBytes => PackedWeight.GroupWidth;

    public static ScalarType Type => ScalarType.Int8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Load(byte* group) => Vector256.Load((sbyte*)group);

    public static bool JoinsHalves => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector256<byte> First, Vector256<byte> Second) LoadPair(byte* groups) =>
        (LoadUnsigned(groups), LoadUnsigned(groups + PackedWeight.GroupWidth));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector256<byte> First, Vector256<byte> Second) LoadLast(byte* group) => (LoadUnsigned(group), default);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> LoadUnsigned(byte* group) => Vector256.Load(group) ^ Vector256.Create((byte)ByteProducts.Offset);

    // What the largest weight asks for: no code is beyond the last.
    public static float Pack(ReadOnlySpan<float> weights, byte* group)
    {
        var scale = PackedScale.AtLeast(PackedScale.LargestMagnitude(weights) / Largest);
        Pack(weights, scale, group);
        return scale;
    }

    public static void Pack(ReadOnlySpan<float> weights, float scale, byte* group)
    {
        for (var i = 0; i < weights.Length; i++)
            ((sbyte*)group)[i] = (sbyte)Nearest(weights[i] / scale);
    }

    public static float Nearest(float weight) => Math.Clamp(MathF.Round(weight), -Largest, Largest);
}
