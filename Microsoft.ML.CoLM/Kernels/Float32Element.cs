using System.Runtime.CompilerServices;
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
    public static TFloats Load<TFloats>(void* memory, long index)
        where TFloats : struct, IFloats<TFloats> => TFloats.Load((float*)memory + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TFloats>(void* memory, long index, TFloats values)
        where TFloats : struct, IFloats<TFloats> => values.Store((float*)memory + index);
}
