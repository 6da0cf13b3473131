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

    /// <summary>Neighbours, as many as the vector has.</summary>
    static abstract TFloats Load<TFloats>(void* memory, long index)
        where TFloats : struct, IFloats<TFloats>;

    /// <summary>Neighbours, each rounded to nearest.</summary>
    static abstract void Store<TFloats>(void* memory, long index, TFloats values)
        where TFloats : struct, IFloats<TFloats>;
}
