using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>How numbers lie in memory; kernels compute in float32 whatever it is.</summary>
internal unsafe interface IElement
{
    /// <summary>The type's name in torch.</summary>
    static abstract ScalarType Type { get; }

    /// <summary>Bytes of one.</summary>
    static abstract int Size { get; }

    static abstract float Get(void* memory, long index);

    static abstract void Set(void* memory, long index, float value);

    /// <summary>16 neighbours.</summary>
    static abstract Vector512<float> Load(void* memory, long index);

    /// <summary>16 neighbours, each rounded to nearest.</summary>
    static abstract void Store(void* memory, long index, Vector512<float> values);
}
