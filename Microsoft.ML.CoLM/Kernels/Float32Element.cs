using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>float32, as it is.</summary>
internal readonly unsafe struct Float32Element : IElement
{
    public static ScalarType Type => ScalarType.Float32;

    public static int Size => sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Get(void* memory, long index) => ((float*)memory)[index];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(void* memory, long index, float value) => ((float*)memory)[index] = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(void* memory, long index) => Vector512.Load((float*)memory + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(void* memory, long index, Vector512<float> values) =>
        values.Store((float*)memory + index);
}
